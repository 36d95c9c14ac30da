/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Input: bytes on their way out of a socket whose events are edge-triggered. They are used where
 * they were received, in memory that all connections of a thread share; what one of them leaves is
 * kept. */

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/macro.h"

/* What all connections of a server leave, so that requests that come behind one that waits cannot
 * fill the memory. */
typedef struct HttpBacklog {
        size_t max; /* bytes */
        atomic_size_t used;
} HttpBacklog;

typedef struct HttpInput {
        HttpBacklog *backlog; /* not owned */
        const char *data; /* what has come in and was not used: in the shared memory, or KEPT's */
        size_t size;
        bool can_receive; /* as far as is known */
        bool is_ending;   /* the kernel has told of an end or an error */
        bool has_ended;   /* and there is nothing in front of it any more */
        Buffer kept;
} HttpInput;

void http_input_done(HttpInput *input);

/* What epoll tells of the socket. */
void http_input_note(HttpInput *input, uint32_t events);

/* Receives up to SIZE bytes into MEMORY, if all was used. Returns 1 if any came, 0 if there are
 * none now, or a negative errno at the end. */
int http_input_receive(HttpInput *input, int fd, char *memory, size_t size);

/* The next N bytes were used. */
void http_input_use(HttpInput *input, size_t n);

/* The shared memory is for another connection next: what was not used is kept. Returns 0 or
 * -ENOMEM.
 */
int http_input_keep(HttpInput *input);

/* Whether the backlog has room for that; once it is kept, it has. */
bool http_input_fits(const HttpInput *input);
