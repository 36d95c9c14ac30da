/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pipe: a bounded queue of bytes between one writing and one reading thread, such as an HTTP
 * request that is being received and a call that passes it on. Neither side ever blocks: it is told
 * when it may go on. */

#include <stdatomic.h>
#include <sys/types.h>

#include "base/macro.h"

typedef struct Pipe Pipe;

/* The functions are called without any lock held, by the other side's thread: writable() after a
 * write that did not take all, once half is free; readable() after a read that got -EAGAIN, once
 * there is something (or the end). */
typedef struct PipeEvents {
        void (*readable)(void *userdata);
        void (*writable)(void *userdata);
        void *userdata;
} PipeEvents;

/* What several pipes may take together, so that many readers or writers that are slow, or stall,
 * cannot fill the memory. Has to outlive the pipes. */
typedef struct PipeBudget {
        size_t max; /* bytes */
        atomic_size_t used;
} PipeBudget;

/* SIZE is taken from BUDGET, unless that is NULL, until the pipe is freed. Returns 0, -EAGAIN if
 * the budget has not that much left, or -ENOMEM. */
int pipe_new(size_t size, PipeBudget *budget, const PipeEvents *events, Pipe **ret);

/* The size of a pipe for SIZE bytes in all, which HTTP_SIZE_UNKNOWN may be: MAX or what they need.
 */
static inline size_t pipe_size_for(uint64_t size, size_t max) {
        return size == 0 ? 1 : (size_t) MIN(size, (uint64_t) max);
}

Pipe *pipe_ref(Pipe *pipe);
Pipe *pipe_unref(Pipe *pipe);
DEFINE_CLEANUP(Pipe *, pipe_unref);

/* Returns how many bytes were taken (0 if full), or the error that the reader closed with. */
ssize_t pipe_write(Pipe *pipe, const void *data, size_t size);

/* The same for a piece of up to half the pipe's size that is taken whole or not at all. */
ssize_t pipe_write_whole(Pipe *pipe, const void *data, size_t size);

/* Ends the data: with 0 regularly, with a negative errno for the reader to get once it has read
 * all. */
void pipe_close_write(Pipe *pipe, int error);

/* Returns how many bytes were read, 0 at the end, -EAGAIN if there are none yet, or the error that
 * the writer closed with. */
ssize_t pipe_read(Pipe *pipe, void *data, size_t size);

/* For the reader: has all that was written come once more. Returns false, and does nothing, if not
 * all of it is there any more: the size of the pipe is kept. */
bool pipe_rewind(Pipe *pipe);

/* The reader wants no more; writes return ERROR (negative) from now on. */
void pipe_close_read(Pipe *pipe, int error);
