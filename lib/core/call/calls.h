/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls: every call that one daemon makes to another, in one table, which both sides use. wire.h
 * has the bodies. Those with a path are signed HTTP requests: the greeting, which may reach a
 * stranger, and one whose answer is too long for memory. All others go over channels, where their
 * place in the table is their number. */

#include "base/macro.h"
#include "core/call/identity.h"
#include "core/limits.h"

typedef enum CallRole { CALL_ROLE_MASTER, CALL_ROLE_VOLUME } CallRole;

/* The time-out is for the whole of a call, or for a signed request to be without progress; 0 for
 * what the caller has for all. An answer that comes piece by piece has no limit: 0. */
#define REPORT_TIMEOUT_USEC (VOLUME_TIMEOUT_SEC * USEC_PER_SEC)

/* clang-format off */
#define CALLS(CALL)                                                                                \
        /*   name     path           caller   receiver   body       answer     time-out */         \
        CALL(HELLO,   "/-/hello",    MASTER,  VOLUME,    256,       64 * KIB,  USEC_PER_SEC)       \
        CALL(STORE,   "",            MASTER,  VOLUME,    4 * MIB,   64 * KIB,  0)                  \
        CALL(DELETE,  "",            MASTER,  VOLUME,    64 * KIB,  64 * KIB,  0)                  \
        CALL(PULL,    "",            MASTER,  VOLUME,    1 * MIB,   64 * KIB,  0)                  \
        CALL(CHECK,   "",            MASTER,  VOLUME,    64 * KIB,  64 * KIB,  0)                  \
        CALL(FETCH,   "/-/fetch",    VOLUME,  VOLUME,    64 * KIB,  0,         0)                  \
        CALL(REPORT,  "",            VOLUME,  MASTER,    64 * KIB,  64 * KIB,  REPORT_TIMEOUT_USEC)\
        CALL(COMMIT,  "",            VOLUME,  MASTER,    8 * MIB,   64 * KIB,  0)                  \
        CALL(SETTLE,  "",            VOLUME,  MASTER,    2 * MIB,   64 * KIB,  0)                  \
        CALL(DAMAGED, "",            VOLUME,  MASTER,    2 * MIB,   64 * KIB,  0)                  \
        CALL(GROUP,   "",            MASTER,  MASTER,    8 * MIB,   64,        0)
/* clang-format on */

#define CALL_ENTRY(name, ...) CALL_##name,
typedef enum CallKind { CALLS(CALL_ENTRY) _CALL_MAX } CallKind;
#undef CALL_ENTRY

/* CALL_STORE_BODY_MAX and so on: constants, as tables of routes need them. */
#define CALL_ENTRY(name, path, caller, receiver, body, ...) CALL_##name##_BODY_MAX = body,
enum { CALLS(CALL_ENTRY) };
#undef CALL_ENTRY

typedef struct CallType {
        char path[16]; /* "" if it goes over a channel */
        CallRole caller, receiver;
        uint64_t body_max, answer_max; /* bytes */
        uint64_t timeout_usec;
} CallType;

/* By CallKind. */
extern const CallType call_types[_CALL_MAX];

/* The call that is a request to PATH, or NULL. */
const CallType *call_find(const char *path);

/* The role in which the daemon takes part. */
static inline CallRole call_role(const StoreIdentity *daemon) {
        return daemon->number == 0 ? CALL_ROLE_MASTER : CALL_ROLE_VOLUME;
}
