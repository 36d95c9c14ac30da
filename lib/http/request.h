/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP request: what a handler sees of a request. How it is answered is in http/reply.h.
 *
 * Thread: that of the request's connection, unless a function says otherwise. */

#include <sys/types.h>

#include "base/macro.h"
#include "http/reply.h"

typedef struct HttpRequest HttpRequest;

/* What a handler returns that has not replied: somebody will, on any thread. A handler that returns
 * a negative errno has that error replied. */
#define HTTP_LATER 1

/* What finish() returns that cannot say yet: it is called once more, on the same thread, after
 * somebody has resumed the request. */
#define HTTP_AGAIN 2

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

/* The first of this name, without blanks around it; NULL if there is none. Lives as long as the
 * request. */
const char *http_request_header(const HttpRequest *request, const char *name);

/* Calls on_header() for each header, until it returns non-zero; returns that. */
int http_request_each_header(
                HttpRequest *request,
                int (*on_header)(const char *name, const char *value, void *userdata),
                void *userdata);

/* Of the body; HTTP_SIZE_UNKNOWN if it comes chunked. 0 without a body. */
#define HTTP_SIZE_UNKNOWN UINT64_MAX
uint64_t http_request_size(const HttpRequest *request);

/* The client's address without its port: "10.0.0.3". Returns 0 or a negative errno. */
#define HTTP_ADDRESS_SIZE 64
int http_request_address(const HttpRequest *request, char ret[static HTTP_ADDRESS_SIZE]);

/* Whether the client waits for "100 Continue" before it sends the body. */
bool http_request_expects_continue(const HttpRequest *request);

/* The request carries a valid signature: its connection is a daemon's and never has to give way to
 * others. */
void http_request_trust(HttpRequest *request);

/* Adds a sentence, a constant, to the error that the handler is going to return. */
void http_request_explain(HttpRequest *request, const char *detail);

/* Whether the server has stopped taking connections. */
bool http_request_is_draining(const HttpRequest *request);

/* Says that there is room again, after body() took less than it was given, or more data, after the
 * read() of a stream returned -EAGAIN, or that finish() may try again. One call per wait: the
 * request cannot end before it, but may end before a second one. Thread: any; also before body() or
 * read() has returned. */
void http_request_resume(HttpRequest *request);

/* Whether the client has closed its side, so that it hardly waits for the answer. Thread: any,
 * before the reply. */
bool http_request_sender_is_gone(const HttpRequest *request);
