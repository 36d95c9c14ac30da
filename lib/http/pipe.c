/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "http/pipe.h"

struct Pipe {
        atomic_uint references;
        PipeEvents events;
        PipeBudget *budget; /* not owned; or NULL */

        pthread_mutex_t lock; /* for what follows */
        size_t size, start, used;
        uint64_t written; /* in all */
        bool reader_waits, writer_waits;
        bool write_closed, read_closed;
        int write_error, read_error;
        uint8_t data[];
};

static int reserve(PipeBudget *budget, size_t size) {
        if (!budget || atomic_fetch_add(&budget->used, size) + size <= budget->max)
                return 0;

        (void) atomic_fetch_sub(&budget->used, size);
        return -EAGAIN;
}

static void give_back(PipeBudget *budget, size_t size) {
        if (budget)
                (void) atomic_fetch_sub(&budget->used, size);
}

int pipe_new(size_t size, PipeBudget *budget, const PipeEvents *events, Pipe **ret) {
        Pipe *pipe;
        int r;

        assert(size > 0);
        assert(events);
        assert(events->readable);
        assert(events->writable);
        assert(ret);

        r = reserve(budget, size);
        if (r < 0)
                return r;
        pipe = malloc(sizeof(*pipe) + size);
        if (!pipe) {
                give_back(budget, size);
                return -ENOMEM;
        }

        *pipe = (Pipe){ .references = 1, .events = *events, .budget = budget, .size = size };
        (void) pthread_mutex_init(&pipe->lock, NULL); /* cannot fail with glibc */

        *ret = pipe;
        return 0;
}

Pipe *pipe_ref(Pipe *pipe) {
        assert(pipe);

        atomic_fetch_add(&pipe->references, 1);
        return pipe;
}

Pipe *pipe_unref(Pipe *pipe) {
        if (!pipe || atomic_fetch_sub(&pipe->references, 1) > 1)
                return NULL;

        give_back(pipe->budget, pipe->size);
        (void) pthread_mutex_destroy(&pipe->lock);
        free(pipe);
        return NULL;
}

/* The bytes wrap around at the end of the array. */
static size_t put(Pipe *pipe, const uint8_t *data, size_t size) {
        size_t n = MIN(size, pipe->size - pipe->used);
        size_t end = (pipe->start + pipe->used) % pipe->size;
        size_t first = MIN(n, pipe->size - end);

        memcpy(pipe->data + end, data, first);
        memcpy(pipe->data, data + first, n - first);
        pipe->used += n;
        pipe->written += n;
        return n;
}

static size_t take(Pipe *pipe, uint8_t *data, size_t size) {
        size_t n = MIN(size, pipe->used);
        size_t first = MIN(n, pipe->size - pipe->start);

        memcpy(data, pipe->data + pipe->start, first);
        memcpy(data + first, pipe->data, n - first);
        pipe->start = (pipe->start + n) % pipe->size;
        pipe->used -= n;
        return n;
}

/* Unlocks, and tells the other side if it waits. */
static void unlock_for_reader(Pipe *pipe) {
        bool tell = pipe->reader_waits && (pipe->used > 0 || pipe->write_closed);

        if (tell)
                pipe->reader_waits = false;
        (void) pthread_mutex_unlock(&pipe->lock);

        if (tell)
                pipe->events.readable(pipe->events.userdata);
}

static void unlock_for_writer(Pipe *pipe) {
        bool tell = pipe->writer_waits && (pipe->used <= pipe->size / 2 || pipe->read_closed);

        if (tell)
                pipe->writer_waits = false;
        (void) pthread_mutex_unlock(&pipe->lock);

        if (tell)
                pipe->events.writable(pipe->events.userdata);
}

static ssize_t write_some(Pipe *pipe, const void *data, size_t size, bool whole) {
        ssize_t n;

        assert(pipe);
        assert(data || size == 0);

        (void) pthread_mutex_lock(&pipe->lock);
        assert(!pipe->write_closed);

        if (pipe->read_closed)
                n = pipe->read_error;
        else {
                n = whole && size > pipe->size - pipe->used ? 0 : (ssize_t) put(pipe, data, size);
                pipe->writer_waits = (size_t) n < size;
        }
        unlock_for_reader(pipe);

        return n;
}

ssize_t pipe_write(Pipe *pipe, const void *data, size_t size) {
        return write_some(pipe, data, size, false);
}

ssize_t pipe_write_whole(Pipe *pipe, const void *data, size_t size) {
        assert(size <= pipe->size / 2);

        return write_some(pipe, data, size, true);
}

void pipe_close_write(Pipe *pipe, int error) {
        assert(pipe);
        assert(error <= 0);

        (void) pthread_mutex_lock(&pipe->lock);
        if (!pipe->write_closed) {
                pipe->write_closed = true;
                pipe->write_error = error;
                pipe->writer_waits = false;
        }
        unlock_for_reader(pipe);
}

ssize_t pipe_read(Pipe *pipe, void *data, size_t size) {
        ssize_t n;

        assert(pipe);
        assert(data);
        assert(size > 0);

        (void) pthread_mutex_lock(&pipe->lock);
        if (pipe->used > 0)
                n = (ssize_t) take(pipe, data, size);
        else if (pipe->write_closed)
                n = pipe->write_error;
        else {
                n = -EAGAIN;
                pipe->reader_waits = true;
        }
        unlock_for_writer(pipe);

        return n;
}

bool pipe_rewind(Pipe *pipe) {
        bool all;

        (void) pthread_mutex_lock(&pipe->lock);
        all = pipe->written <= pipe->size && !pipe->read_closed;
        if (all) {
                pipe->start = 0;
                pipe->used = (size_t) pipe->written;
        }
        (void) pthread_mutex_unlock(&pipe->lock);
        return all;
}

void pipe_close_read(Pipe *pipe, int error) {
        assert(pipe);
        assert(error < 0);

        (void) pthread_mutex_lock(&pipe->lock);
        if (!pipe->read_closed) {
                pipe->read_closed = true;
                pipe->read_error = error;
                pipe->reader_waits = false;
                pipe->used = 0;
        }
        unlock_for_writer(pipe);
}
