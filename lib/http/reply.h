/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP reply: how a request is answered.
 *
 * Thread: the handler's or, after HTTP_LATER, any one; a thread other than the handler's must not
 * touch the request after its reply. */

#include <sys/types.h>

#include "http/serve/place.h"

typedef struct HttpRequest HttpRequest;

/* Adds a header to the reply to come. Returns 0, -EINVAL for a value with line breaks, or -ENOMEM.
 * After a failure only an error can be replied, which forgets all headers that were added. */
int http_request_add_header(HttpRequest *request, const char *name, const char *value);

/* The replies. A request gets exactly one. All return 0, or a negative errno: then nothing was sent
 * and the added headers are forgotten; a handler returns the error, another thread calls
 * http_request_reply_error(). */
int http_request_reply(HttpRequest *request, unsigned status);
int http_request_reply_data(
                HttpRequest *request,
                unsigned status,
                const char *content_type,
                const void *data,
                size_t size);

/* ERROR is an errno of either sign; DETAIL, if not NULL, a sentence about this very case. Always
 * returns 0: if there is no memory for the reply, the connection is cut. */
int http_request_reply_error(HttpRequest *request, int error, const char *detail);

/* For HEAD: the headers of a value that is not here. */
int http_request_reply_head(HttpRequest *request, unsigned status, uint64_t size);

/* A body that comes from elsewhere piece by piece. read() returns how many bytes it wrote to DATA,
 * 0 at the end, -EAGAIN if there are none now (http_request_resume() makes it ask again), or
 * another negative errno: the connection is cut. closed() is called once, when nothing will be read
 * any more, also if this function fails. SIZE may be HTTP_SIZE_UNKNOWN. */
typedef struct HttpStream {
        ssize_t (*read)(void *userdata, void *data, size_t size);
        void (*closed)(void *userdata);
        void *userdata;
} HttpStream;

/* Where a value comes from that is not in memory. open() is told which part of it is sent, before
 * anything is; if it fails, there is no reply, and its negative errno is returned. */
typedef struct HttpValue {
        int (*open)(void *userdata, uint64_t offset, uint64_t size, HttpStream *ret);
        void *userdata;
} HttpValue;

/* A value, whole or the range that the request asks for (Range, If-Range against ETAG): 200, 206 or
 * 416. DATA is copied; if it is NULL, VALUE is asked, unless nothing is to be sent. */
int http_request_reply_value(
                HttpRequest *request,
                const void *data,
                const HttpValue *value,
                uint64_t size,
                const char *etag,
                uint64_t mtime_usec);

int http_request_reply_stream(
                HttpRequest *request, unsigned status, uint64_t size, const HttpStream *stream);

/* A connection that leaves HTTP. */
typedef struct HttpUpgraded {
        int fd;            /* owned by who gets this; does not block, and is of no loop yet */
        const void *input; /* what the client has sent behind the request */
        size_t input_size;
        HttpPlace *place; /* likewise owned; to be watched */
} HttpUpgraded;

/* 101: what follows on the connection is PROTOCOL (RFC 9110, 7.8). Once that is sent, and before
 * the route's end(), ON_UPGRADED is called on the connection's loop, unless the client is gone
 * already. Returns -EOPNOTSUPP if the request does not ask for this protocol, or cannot. */
int http_request_upgrade(
                HttpRequest *request,
                const char *protocol,
                void (*on_upgraded)(const HttpUpgraded *upgraded, void *userdata),
                void *userdata);
