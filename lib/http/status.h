/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Status codes: what an errno is in an HTTP answer, and the way back. Its sentence stands in
 * base/error.h. */

#include "base/macro.h"

typedef struct HttpStatus {
        int error;          /* positive errno */
        unsigned code;      /* 400 to 599 */
        unsigned retry_sec; /* for Retry-After; 0 means that trying again will not help */
} HttpStatus;

/* Never returns NULL: an errno that is not in the table is an internal error, 500. ERROR may have
 * either sign. */
const HttpStatus *http_status(int error) _const_;

/* The type of the problem in the body of an answer (RFC 9457): "outcome-unknown" for ECOMM and
 * "no-leader" for ENOLINK, where the status does not tell a client what happened, else
 * "about:blank". */
const char *http_status_problem_type(int error) _const_;

/* The errno (positive) that the status of another daemon's answer stands for: the first of its row
 * in the table, EREMOTEIO for a status that is not there. Must not be called for 1xx to 3xx. */
int http_status_to_error(unsigned code) _const_;

/* The same for a call that is about many things and whose answer has an errno for each of them. The
 * status is about none of them: if it says that something is missing, is damaged or does not fit,
 * somebody else has answered at that address, and it becomes EHOSTDOWN. */
int http_status_to_call_error(unsigned code) _const_;
