/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP request: what a handler sees of one, and how it is answered. */

#include <sys/types.h>

#include "base/macro.h"

typedef struct HttpRequest HttpRequest;

/* What a handler returns that has not replied: somebody will, on any thread. A handler that returns
 * a negative errno has that error replied. */
#define HTTP_LATER 1

/* HttpServerOptions.userdata. */
void *http_request_userdata(HttpRequest *request);

/* A pointer of the route's own; NULL at first. */
void **http_request_state(HttpRequest *request);

/* What the gate keeps with the request; NULL at first. FREE_PASS is called when it is over. */
void http_request_set_pass(HttpRequest *request, void *pass, void (*free_pass)(void *pass));
void *http_request_pass(HttpRequest *request);

const char *http_request_method(const HttpRequest *request);

/* As sent, still percent-encoded, without the query. */
const char *http_request_path(const HttpRequest *request);

/* What follows the "?", still encoded; "" if there is none. */
const char *http_request_query(const HttpRequest *request);

/* One parameter of the query, decoded, into RET. Returns its length, -ENOENT, -EINVAL for a
 * malformed escape, or -ENAMETOOLONG. */
int http_request_parameter(const HttpRequest *request, const char *name, char *ret, size_t size);

/* Borrowed; NULL if there is none. Blanks at the end of the line are part of it. */
const char *http_request_header(const HttpRequest *request, const char *name);

/* Calls on_header() for each header, until it returns non-zero; returns that. */
int http_request_each_header(
                HttpRequest *request,
                int (*on_header)(const char *name, const char *value, void *userdata),
                void *userdata);

/* Of the body; HTTP_SIZE_UNKNOWN if it comes chunked. 0 without a body. */
#define HTTP_SIZE_UNKNOWN UINT64_MAX
uint64_t http_request_size(const HttpRequest *request);

/* The client waits for "100 Continue" before it sends the body. */
/* Who asks, without the port: "10.0.0.3". Returns 0 or a negative errno. */
#define HTTP_ADDRESS_SIZE 64
int http_request_address(const HttpRequest *request, char ret[static HTTP_ADDRESS_SIZE]);

bool http_request_expects_continue(const HttpRequest *request);

/* The request has shown a good signature: its connection is a daemon's, which never has to give way
 * to others. */
void http_request_trust(HttpRequest *request);

/* A sentence about the error that the handler is going to return; a constant. */
void http_request_explain(HttpRequest *request, const char *detail);

/* A copy of a string that lives as long as the request; one for each request. NULL if there is no
 * memory. */
const char *http_request_keep(HttpRequest *request, const char *string, size_t length);

/* The server takes no connections any more. */
bool http_request_is_draining(const HttpRequest *request);

/* After body() took less than it was given: there is room again. After the read() of a stream
 * returned -EAGAIN: there is more. From any thread, also before either has returned; the request
 * waits for it, but not for a second one, which is harmless only as long as the request exists. */
void http_request_resume(HttpRequest *request);

/* From any thread, before the answer: whether the client sends no more, so that it is not likely to
 * wait for one. */
bool http_request_sender_is_gone(const HttpRequest *request);

/* Adds a header to the reply to come. Returns 0, -EINVAL for a value with line breaks, or -ENOMEM.
 * After a failure only an error can be replied, which forgets all headers that were added. */
int http_request_add_header(HttpRequest *request, const char *name, const char *value);

/* The replies. Exactly one per request; on the handler's thread or, after HTTP_LATER, on any. All
 * return 0, or a negative errno upon which nothing has been sent and the added headers are
 * forgotten: a handler just returns it, another thread calls http_request_reply_error(). The
 * request must not be touched after a reply from another thread. */
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

/* Replies that this thread makes between the two are sent at the second, all at once: for whoever
 * answers many requests in a row, so that the server's threads are woken once. */
void http_replies_hold(void);
void http_replies_release(void);
