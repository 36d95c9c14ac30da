/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one table of errors: what an errno means to an HTTP client, on the bus and to a human.
 *
 * Functions of dkv return negative errno values; only the edges (HTTP replies, D-Bus replies, the
 * command line) turn them into something else, and they do it through this table. */

#include "base/macro.h"

typedef struct ErrorInfo {
        int error; /* positive errno */
        unsigned http_status;
        const char *bus_name; /* org.dkv.Error.… */
        const char *title;    /* one sentence, as in RFC 9457 */
        unsigned retry_sec;   /* for Retry-After; 0 means that trying again will not help */
} ErrorInfo;

/* Never returns NULL: an errno that is not in the table is an internal error. ERROR may have
 * either sign. */
const ErrorInfo *error_info(int error) _const_;

/* The errno (positive) that an HTTP status of another daemon stands for: the first of its row in
 * the table, EREMOTEIO for a status that is not there. Must not be called for 1xx to 3xx. */
int error_from_http_status(unsigned status) _const_;
