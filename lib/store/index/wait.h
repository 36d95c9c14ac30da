/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Wait: a look-up for threads that must not block. Who finds what is not flushed yet is called
 * after the flush. */

#include "store/index/index.h"

typedef struct IndexWait IndexWait;

struct IndexWait {
        /* On the committer's thread, after the flush, before the answers to its batch; with what
         * index_get() would have returned. The wait is the caller's again. Must not block. */
        void (*done)(IndexWait *wait, int result);

        /* private */
        int result;
        union {
                uint8_t bytes[24];
                void *align;
        } carrier;
};

/* Like index_get(), but never waits: if what was found is not durable yet, it returns -EAGAIN,
 * and WAIT->done() is called when it is, perhaps before this returns. SCRATCH and RET, which have
 * it already, must stay until then and be told to nobody before. */
int index_get_or_wait(Index *index, const char *key, Buffer *scratch, Record *ret, IndexWait *wait);

/* Like index_get(), but never waits: returns -EAGAIN if what was found is not durable yet, and must
 * be told to nobody. */
int index_get_now(Index *index, const char *key, Buffer *scratch, Record *ret);
