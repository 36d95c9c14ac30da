/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls: every call that one daemon makes to another, in one table. Both sides use it: rpc_call()
 * for the path, the limit of the answer and the time-out, RPC_ROUTE() for the path and the limit of
 * the body, rpc_admit() for who may call. wire.h has the bodies. */

#include "base/macro.h"
#include "core/call/identity.h"
#include "core/limits.h"

typedef enum CallRole { CALL_ROLE_MASTER, CALL_ROLE_VOLUME } CallRole;

/* The stall timeout is how long a call may go without progress; 0 for what the caller's HTTP client
 * has. An answer that comes piece by piece has no limit: 0. */
#define REPORT_STALL_USEC (VOLUME_TIMEOUT_SEC * USEC_PER_SEC)

/* clang-format off */
#define CALLS(CALL)                                                                                \
        /*   name     path           caller   receiver   body       answer     stall timeout */    \
        CALL(HELLO,   "/-/hello",    MASTER,  VOLUME,    64,        64 * KIB,  USEC_PER_SEC)       \
        CALL(STORE,   "/-/store",    MASTER,  VOLUME,    4 * MIB,   64 * KIB,  0)                  \
        CALL(DELETE,  "/-/delete",   MASTER,  VOLUME,    64 * KIB,  64 * KIB,  0)                  \
        CALL(PULL,    "/-/pull",     MASTER,  VOLUME,    1 * MIB,   64 * KIB,  0)                  \
        CALL(CHECK,   "/-/check",    MASTER,  VOLUME,    64 * KIB,  64 * KIB,  0)                  \
        CALL(FETCH,   "/-/fetch",    VOLUME,  VOLUME,    64 * KIB,  0,         0)                  \
        CALL(REPORT,  "/-/report",   VOLUME,  MASTER,    64 * KIB,  64 * KIB,  REPORT_STALL_USEC)  \
        CALL(COMMIT,  "/-/commit",   VOLUME,  MASTER,    8 * MIB,   64 * KIB,  0)                  \
        CALL(SETTLE,  "/-/settle",   VOLUME,  MASTER,    2 * MIB,   64 * KIB,  0)                  \
        CALL(DAMAGED, "/-/damaged",  VOLUME,  MASTER,    2 * MIB,   64 * KIB,  0)
/* clang-format on */

#define CALL_ENTRY(name, ...) CALL_##name,
typedef enum CallKind { CALLS(CALL_ENTRY) _CALL_MAX } CallKind;
#undef CALL_ENTRY

/* CALL_STORE_BODY_MAX and so on: constants, as tables of routes need them. */
#define CALL_ENTRY(name, path, caller, receiver, body, ...) CALL_##name##_BODY_MAX = body,
enum { CALLS(CALL_ENTRY) };
#undef CALL_ENTRY

typedef struct CallType {
        char path[16];
        CallRole caller, receiver;
        uint64_t body_max, answer_max; /* bytes */
        uint64_t stall_timeout_usec;
} CallType;

/* By CallKind. */
extern const CallType call_types[_CALL_MAX];

/* The call of PATH, or NULL. */
const CallType *call_find(const char *path);

/* The role in which the daemon takes part. */
static inline CallRole call_role(const StoreIdentity *daemon) {
        return daemon->number == 0 ? CALL_ROLE_MASTER : CALL_ROLE_VOLUME;
}
