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

/* The type of the problem in the body of an answer (RFC 9457): "outcome-unknown" for ECOMM, where
 * the status does not tell a client what happened, else "about:blank". */
const char *error_problem_type(int error) _const_;

/* The errno (positive) that an HTTP status of another daemon stands for: the first of its row in
 * the table, EREMOTEIO for a status that is not there. Must not be called for 1xx to 3xx. */
int error_from_http_status(unsigned status) _const_;

/* The same for a call that is about many things and whose answer has an errno for each of them. The
 * status is about none of them: if it says that something is missing, is damaged or does not fit,
 * somebody else has answered at that address, and it becomes EHOSTDOWN. */
int error_from_call_status(unsigned status) _const_;

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
