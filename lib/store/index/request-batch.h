/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Request batch: requests as the bytes of one entry of a replicated log, with the term that they
 * are for. A format byte, the term, then each request with its length in front, at least one; all
 * integers are little-endian. */

#include "store/index/request.h"

/* Begins a batch in an empty buffer, and adds to it. The buffer remembers what fails. */
void request_batch_begin(uint64_t term, Buffer *buffer);
void request_batch_add(const IndexRequest *request, Buffer *buffer);

typedef struct RequestBatch {
        uint64_t term;
        Reader reader; /* of what is left */
} RequestBatch;

/* RET points into DATA. Returns 0, -EPROTONOSUPPORT for an unknown format, or -EBADMSG for a batch
 * without a request. */
int request_batch_open(const void *data, size_t size, RequestBatch *ret);

/* Takes the next one out, which request_done() frees, also if this fails. Returns 1, 0 at the end,
 * -EBADMSG for a length that is wrong, or what request_decode() says. */
int request_batch_next(RequestBatch *batch, DecodedRequest *ret);
