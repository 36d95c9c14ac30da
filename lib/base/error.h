/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one table of errors: what an errno means on the bus and to a human.
 *
 * Functions of dkv return negative errno values; only the edges (HTTP replies, D-Bus replies, the
 * command line) turn them into something else, and they do it through this table. What an errno is
 * in HTTP stands in http/status.h. */

#include "base/macro.h"

typedef struct ErrorInfo {
        int error;            /* positive errno */
        const char *bus_name; /* org.dkv.Error.… */
        const char *title;    /* one sentence, as in RFC 9457 */
} ErrorInfo;

/* Never returns NULL: an errno that is not in the table is an internal error. ERROR may have
 * either sign. */
const ErrorInfo *error_info(int error) _const_;

/* Why something failed and what to do about it, in words that follow "Failed to open '…': ", such
 * as "there is no space left (No space left on device); free some." ERROR may have either sign. */
#define ERROR_REASON_SIZE 256
void error_format_reason(int error, char ret[static ERROR_REASON_SIZE]);

/* What it means for a store that the system refused to keep something, by the errno. It is never
 * the fault of the caller. */
typedef enum StoreFault {
        STORE_FAULT_NONE,       /* nothing: the error is of the request, or of another daemon */
        STORE_FAULT_OVERLOADED, /* it lacks descriptors or memory */
        STORE_FAULT_FULL,
        STORE_FAULT_DENIED,    /* it may not write to its directory */
        STORE_FAULT_MISSING,   /* its directory, or a part of it, is gone */
        STORE_FAULT_READ_ONLY, /* its file system */
        STORE_FAULT_FAILED,    /* the device */
        _STORE_FAULT_MAX,
} StoreFault;

StoreFault error_store_fault(int error) _const_;

/* For reports: "read-only". */
const char *store_fault_to_string(StoreFault fault) _const_;
/* Returns STORE_FAULT_NONE for any other name. */
StoreFault store_fault_from_string(const char *name) _pure_;

/* The negative errno that the volume answers: one after which the value goes elsewhere. */
int store_fault_to_error(StoreFault fault) _const_;
