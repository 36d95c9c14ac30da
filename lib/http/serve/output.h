/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Output: pieces of memory on their way into a socket, in order and without being copied. */

#include <sys/uio.h>

#include "base/macro.h"

#define HTTP_OUTPUT_MAX 8

typedef struct HttpOutput {
        struct iovec pieces[HTTP_OUTPUT_MAX];
        size_t n, first; /* those before the first were sent */
        uint64_t sent;   /* bytes, of all that ever was in it */
} HttpOutput;

/* DATA must stay until it was sent. Nothing is added if SIZE is 0. */
void http_output_add(HttpOutput *output, const void *data, size_t size);

static inline bool http_output_is_empty(const HttpOutput *output) {
        return output->n == 0;
}

/* Sends what the socket takes at once. Returns 0 if that was all, -EAGAIN if there is more, or
 * another negative errno. */
int http_output_send(HttpOutput *output, int fd);
