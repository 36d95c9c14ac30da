/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Request: a change of the index as bytes, and back.
 *
 * Applying a request is a function of these bytes and of the tables alone: what the time is,
 * whether there is room, which number is random was asked before, and is in the bytes. So a request
 * can be kept in a log or sent to another index, and leads to the same tables there; answers that
 * were given to the caller are not part of it. All integers are little-endian. */

#include "store/index/damage.h"
#include "store/index/garbage.h"
#include "store/index/move.h"
#include "store/index/rollback.h"

/* The numbers are in the bytes: only new ones are added. */
typedef enum RequestType {
        REQUEST_COMMIT = 1,
        REQUEST_DELETE,
        REQUEST_SETTLE,
        REQUEST_COLLECTED,
        REQUEST_SET,
        REQUEST_MOVE,
        REQUEST_FENCES,
        REQUEST_DAMAGE,
        REQUEST_RESERVE,
        REQUEST_END_VERSIONS,
        REQUEST_BEGIN_TERM,
        REQUEST_ACCEPT,
        _REQUEST_TYPE_MAX,
} RequestType;

/* No commit may name one of these volumes any more, and only of these. */
typedef struct IndexFences {
        IndexRequest request;
        const uint32_t *volumes;
        size_t n_volumes;
} IndexFences;

/* Reserves the next COUNT versions. */
typedef struct IndexReserve {
        IndexRequest request;
        uint64_t count;
        uint64_t new_end; /* output */
} IndexReserve;

/* The versions were given out up to here, and the rest of those reserved will not be. */
typedef struct IndexEndVersions {
        IndexRequest request;
        uint64_t next;
} IndexEndVersions;

typedef struct IndexBeginTerm {
        IndexRequest request;
        const uint8_t *cluster; /* of CLUSTER_ID_SIZE */
        uint64_t term;
} IndexBeginTerm;

/* Any of them, decoded. */
typedef struct DecodedRequest {
        union {
                IndexRequest request; /* .type says which one it is */
                IndexCommit commit;
                IndexDelete deletion;
                IndexSettle settle;
                IndexCollected collected;
                IndexSet set;
                IndexMove move;
                IndexFences fences;
                IndexDamage damage;
                IndexReserve reserve;
                IndexEndVersions end_versions;
                IndexBeginTerm begin_term;
                IndexAccept accept;
        };
        void *items; /* owned: what some of them point to */
} DecodedRequest;

/* Appends a request, whose type is set. The buffer remembers what fails. */
void request_encode(const IndexRequest *request, Buffer *buffer);

/* Strings of RET point into DATA; request_done() frees RET, also if this fails. Returns
 * 0, -EPROTONOSUPPORT for an unknown format or type, -EBADMSG for what can be no request, -ENOMEM.
 */
int request_decode(const void *data, size_t size, DecodedRequest *ret);
void request_done(DecodedRequest *request);

/* Gives a request the outputs of one that was decoded from its bytes and applied. */
void request_take_outputs(IndexRequest *request, const DecodedRequest *applied);
