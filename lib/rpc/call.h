/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP call: one request of an HttpClient, and its answer.
 *
 * A call is made and started on any thread; its callbacks run on the client's thread and must not
 * block. */

#include <sys/types.h>

#include "base/buffer.h"
#include "core/call/signature.h"
#include "rpc/client.h"

typedef struct HttpCall HttpCall;

/* METHOD and URL are copied. Returns 0 or -ENOMEM. The call belongs to the caller until
 * http_call_start(); a reference keeps it for http_call_resume() and http_call_cancel() from other
 * threads. */
int http_call_new(HttpClient *client, const char *method, const char *url, HttpCall **ret);
HttpCall *http_call_ref(HttpCall *call);
HttpCall *http_call_unref(HttpCall *call);
DEFINE_CLEANUP(HttpCall *, http_call_unref);

int http_call_add_header(HttpCall *call, const char *name, const char *value);

/* Takes over the content of the buffer and leaves it empty. */
void http_call_set_body(HttpCall *call, Buffer *body);

/* Adds the signature of a daemon. It covers what is set so far (method, path and query, body) and
 * who calls whom. */
int http_call_sign(HttpCall *call, const Parties *parties);

/* Sends a body that is read piece by piece. read() returns the same as in HttpStream: the number of
 * bytes, 0 at the end, -EAGAIN to be asked again after http_call_resume(), or another error, which
 * aborts the call. If SIZE is UINT64_MAX, the body is sent chunked. */
void http_call_set_source(
                HttpCall *call,
                uint64_t size,
                ssize_t (*read)(void *userdata, void *data, size_t size));

/* Replaces the stall timeout of the client, after which a call without progress fails. With
 * UINT64_MAX only http_call_cancel() ends the call. */
void http_call_set_stall_timeout(HttpCall *call, uint64_t usec);

/* Ends the call with -EFBIG if its answer is collected and is longer than SIZE bytes. */
void http_call_set_answer_max(HttpCall *call, size_t size);

/* Takes the answer piece by piece instead of collecting it. on_head() is called once, when the
 * status and the headers are there. on_body() takes all of a piece and returns 0; or takes nothing
 * and returns -EAGAIN, and gets the piece again after http_call_resume(); or returns another error,
 * which aborts the call. */
void http_call_set_sink(
                HttpCall *call,
                int (*on_head)(HttpCall *call, unsigned status, void *userdata),
                int (*on_body)(void *userdata, const void *data, size_t size));

/* Returns a header of the answer, from on_head() on; borrowed. NULL if there is none. */
const char *http_call_header(HttpCall *call, const char *name);

typedef struct HttpResult {
        /* 0 if there was an answer, whatever its status; else a negative errno: -EHOSTDOWN (no
         * connection), -ETIMEDOUT, -ECONNRESET, -ECANCELED, -ESHUTDOWN, … */
        int error;
        int os_error;       /* positive: why there is no connection, such as ECONNREFUSED; or 0 */
        const char *reason; /* of an error, in words that end a sentence ("it refuses connections");
                             * a constant, never NULL */
        unsigned status;    /* 0 without an answer */
        const uint8_t *body; /* collected, up to the call's limit (16 MiB); borrowed */
        size_t body_size;
} HttpResult;

/* In on_done(), for an answer that signed_reply() made and that was collected: returns 0 and who
 * sent it, -EPROTO if it has the form of another release, or -EACCES if it is not signed by a
 * daemon of the cluster. The sequence and the run of the caller show that it is not an older
 * answer; the clocks of the two daemons do not matter. */
int http_call_check_answer(HttpCall *call, const HttpResult *result, Parties *ret);

/* Starts the call and gives away the caller's reference. on_done() is called exactly once, even if
 * the call cannot be started. If a kept-alive connection breaks before the first byte of the
 * answer, a request without a source is sent once more. */
void http_call_start(
                HttpCall *call,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata);

/* From any thread: the source has data again, or the sink has room. Does nothing to a call that has
 * ended. */
void http_call_resume(HttpCall *call);

/* The same, USEC from now. A sink calls it on the client's thread before it returns -EAGAIN.
 * Returns 0 or a negative errno. */
int http_call_resume_after(HttpCall *call, uint64_t usec);

/* From any thread: ends the call with -ECANCELED, soon. */
void http_call_cancel(HttpCall *call);
