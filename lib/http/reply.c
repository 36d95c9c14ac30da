/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/json.h"
#include "http/date.h"
#include "http/range.h"
#include "http/request-internal.h"

#define STREAM_BLOCK (64 * KIB)

/* Of a value from a disk: fewer calls of the system. */
#define VALUE_BLOCK (128 * KIB)

int http_request_add_header(HttpRequest *request, const char *name, const char *value) {
        assert(request);
        assert(name);
        assert(value);

        if (*value == '\0')
                return 0;

        /* Remembered, as a failed allocation is: no reply is made without one of its headers. */
        if (strpbrk(value, "\r\n") && buffer_error(&request->headers) == 0)
                request->headers.error = -EINVAL;

        buffer_put(&request->headers, name, strlen(name) + 1);
        buffer_put(&request->headers, value, strlen(value) + 1);
        return buffer_error(&request->headers);
}

/* These are about the bytes that are sent, which for a part are not those that were stored. */
static bool is_about_whole(const char *name) {
        return strcmp(name, "Content-Digest") == 0 || strcmp(name, "Content-MD5") == 0;
}

static int apply_headers(const Buffer *headers, unsigned status, struct MHD_Response *response) {
        const char *p = (const char *) headers->data;
        size_t left = headers->size;

        while (left > 0) {
                const char *name = p, *value = p + strlen(p) + 1;
                size_t size = (size_t) (value - name) + strlen(value) + 1;

                if (!(status == 206 && is_about_whole(name)) &&
                    MHD_add_response_header(response, name, value) != MHD_YES)
                        return -ENOMEM;

                p += size;
                left -= size;
        }

        return 0;
}

/* Takes RESPONSE over; NULL is one that could not be made. After a failure the request waits for
 * another reply, without the headers of this one. */
static int
answer(HttpRequest *request, unsigned status, uint64_t size, struct MHD_Response *response) {
        int r;

        assert(!request->response);

        r = buffer_error(&request->headers);
        if (r >= 0)
                r = response ? apply_headers(&request->headers, status, response) : -ENOMEM;
        if (r < 0) {
                if (response)
                        MHD_destroy_response(response);
                buffer_clear(&request->headers);
                return r;
        }

        request->response = response;
        request->status = status;
        request->reply_size = size;
        http_request_wake(request, HTTP_ANSWERED);
        return 0;
}

int http_request_reply(HttpRequest *request, unsigned status) {
        assert(request);

        return answer(request, status, 0,
                      MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

int http_request_reply_data(
                HttpRequest *request,
                unsigned status,
                const char *content_type,
                const void *data,
                size_t size) {
        assert(request);
        assert(data || size == 0);

        if (content_type)
                (void) http_request_add_header(request, "Content-Type", content_type);

        return answer(request, status, size,
                      MHD_create_response_from_buffer(size, (void *) data, MHD_RESPMEM_MUST_COPY));
}

static char *format_problem(const ErrorInfo *info, const char *detail) {
        _cleanup_(json_freep) Json *problem = json_new_object();

        json_add_string(problem, "type", error_problem_type(info->error));
        json_add_string(problem, "title", info->title);
        json_add_uint(problem, "status", info->http_status);
        if (detail)
                json_add_string(problem, "detail", detail);
        return json_format(problem, false);
}

int http_request_reply_error(HttpRequest *request, int error, const char *detail) {
        const ErrorInfo *info = error_info(error);
        char retry[sizeof("4294967295")];
        _cleanup_free_ char *body = NULL;

        assert(request);

        if (buffer_error(&request->headers) < 0)
                buffer_clear(&request->headers); /* of the reply that could not be made */
        if (info->retry_sec > 0) {
                (void) snprintf(retry, sizeof(retry), "%u", info->retry_sec);
                (void) http_request_add_header(request, "Retry-After", retry);
        }
        (void) http_request_add_header(request, "Content-Type", "application/problem+json");
        (void) http_request_add_header(request, "Cache-Control", "no-store");

        body = format_problem(info, detail);
        /* Without a response, the connection is cut. */
        if (!body ||
            answer(request, info->http_status, strlen(body),
                   MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_COPY)) < 0)
                http_request_wake(request, HTTP_ANSWERED);

        return 0;
}

/* MHD asks only for bodies that it sends, so for HEAD never. */
static ssize_t no_body(void *userdata, uint64_t position, char *buffer, size_t size) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
}

int http_request_reply_head(HttpRequest *request, unsigned status, uint64_t size) {
        assert(request);

        return answer(request, status, size,
                      MHD_create_response_from_callback(size, 1, no_body, NULL, NULL));
}

/* The part of a value to send. Returns 1 for a part, 0 for the whole, or -ERANGE. */
static int choose_range(
                HttpRequest *request,
                uint64_t size,
                const char *etag,
                const char *last_modified,
                HttpRange *ret) {
        HttpRange range;
        int r = 0;

        if (strcmp(request->method, "GET") == 0 &&
            http_range_if(http_request_header(request, "If-Range"), etag, last_modified))
                r = http_range_parse(http_request_header(request, "Range"), size, &range);

        if (r >= 0)
                *ret = r > 0 ? range : (HttpRange){ 0, size };
        return r;
}

static void add_content_range(HttpRequest *request, const HttpRange *range, uint64_t size) {
        char value[sizeof("bytes -/") + 3 * 20];

        if (range)
                (void) snprintf(value, sizeof(value), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                                range->offset, range->offset + range->size - 1, size);
        else
                (void) snprintf(value, sizeof(value), "bytes */%" PRIu64, size);

        (void) http_request_add_header(request, "Content-Range", value);
}

/* With MHD_USE_TURBO, MHD would not tell the client before the connection has timed out. */
static ssize_t cut(HttpRequest *request) {
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
                (void) shutdown(info->connect_fd, SHUT_RDWR);

        return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t on_stream_read(void *userdata, uint64_t position, char *buffer, size_t size) {
        HttpRequest *request = userdata;
        ssize_t n;
        int r;

        http_request_unpark(request);
        http_guest_set_phase(request->guest, GUEST_REPLY);

        for (;;) {
                n = request->stream.read(request->stream.userdata, buffer, size);
                if (n > 0) {
                        request->reply_size += (uint64_t) n;
                        return n;
                }
                if (n == 0 && request->stream_is_chunked)
                        return MHD_CONTENT_READER_END_OF_STREAM;
                if (n != -EAGAIN)
                        return cut(request); /* also a body that is not chunked, at its early end */

                r = http_request_park(request);
                if (r == 0)
                        return 0;
                if (r < 0)
                        return cut(request);
        }
}

static int reply_stream(
                HttpRequest *request,
                unsigned status,
                uint64_t size,
                uint64_t block,
                const HttpStream *stream) {
        assert(request);
        assert(stream->read);

        request->stream = *stream; /* closed when the request is over, whatever becomes of this */
        request->stream_is_chunked = size == HTTP_SIZE_UNKNOWN && !request->is_1_0;

        return answer(request, status, 0,
                      MHD_create_response_from_callback(
                                      size == HTTP_SIZE_UNKNOWN ? MHD_SIZE_UNKNOWN : size,
                                      (size_t) MAX(MIN(size, block), UINT64_C(1)), on_stream_read,
                                      request, NULL));
}

int http_request_reply_stream(
                HttpRequest *request, unsigned status, uint64_t size, const HttpStream *stream) {
        return reply_stream(request, status, size, STREAM_BLOCK, stream);
}

int http_request_reply_value(
                HttpRequest *request,
                const void *data,
                const HttpValue *value,
                uint64_t size,
                const char *etag,
                uint64_t mtime_usec) {
        char last_modified[HTTP_DATE_SIZE];
        HttpStream stream;
        HttpRange range;
        int partial, r;

        assert(request);

        http_date_format(mtime_usec / USEC_PER_SEC, last_modified);
        partial = choose_range(request, size, etag, last_modified, &range);
        if (partial < 0) {
                buffer_clear(&request->headers); /* of the value */
                add_content_range(request, NULL, size);
                return http_request_reply_error(request, ERANGE, NULL);
        }

        (void) http_request_add_header(request, "Accept-Ranges", "bytes");
        (void) http_request_add_header(request, "Last-Modified", last_modified);
        if (etag)
                (void) http_request_add_header(request, "ETag", etag);
        if (partial)
                add_content_range(request, &range, size);

        if (data || range.size == 0)
                return answer(request, partial ? 206 : 200, range.size,
                              MHD_create_response_from_buffer(
                                              range.size,
                                              data ? (char *) data + range.offset : NULL,
                                              MHD_RESPMEM_MUST_COPY));

        r = value->open(value->userdata, range.offset, range.size, &stream);
        if (r < 0) {
                buffer_clear(&request->headers);
                return r;
        }
        return reply_stream(request, partial ? 206 : 200, range.size, VALUE_BLOCK, &stream);
}
