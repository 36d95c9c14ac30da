/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/json.h"
#include "http/parser/date.h"
#include "http/parser/range.h"
#include "http/parser/text.h"
#include "http/request-internal.h"
#include "http/status.h"

int http_request_add_header(HttpRequest *request, const char *name, const char *value) {
        Buffer *headers = &request->reply.headers;

        assert(request);
        assert(name);
        assert(value);

        if (*value == '\0')
                return 0;

        /* Remembered, as a failed allocation is: no reply is made without one of its headers. */
        if (strpbrk(value, "\r\n") && buffer_error(headers) == 0)
                headers->error = -EINVAL;

        buffer_put(headers, name, strlen(name));
        buffer_put(headers, ": ", 2);
        buffer_put(headers, value, strlen(value));
        buffer_put(headers, "\r\n", 2);
        return buffer_error(headers);
}

/* These are about the bytes that are sent, which for a part are not those that were stored. */
static bool is_about_whole(const char *line) {
        return strncmp(line, "Content-Digest:", strlen("Content-Digest:")) == 0 ||
               strncmp(line, "Content-MD5:", strlen("Content-MD5:")) == 0;
}

static void remove_what_is_about_whole(Buffer *headers) {
        char *line = (char *) headers->data, *end = line + headers->size;

        while (line < end) {
                char *next = (char *) memchr(line, '\n', (size_t) (end - line)) + 1;

                if (!is_about_whole(line)) {
                        line = next;
                        continue;
                }
                memmove(line, next, (size_t) (end - next));
                headers->size -= (size_t) (next - line);
                end -= next - line;
        }
}

/* The reply has a body of SIZE bytes. After a failure the request waits for another one, without
 * the headers of this. */
static int answer(HttpRequest *request, unsigned status, uint64_t size) {
        HttpReply *reply = &request->reply;
        int r;

        assert(!reply->is_there);

        r = buffer_error(&reply->headers);
        if (r >= 0)
                r = buffer_error(&reply->body);
        if (r < 0) {
                buffer_clear(&reply->headers);
                buffer_clear(&reply->body);
                reply->stream.read = NULL;
                return r;
        }

        if (status == 206)
                remove_what_is_about_whole(&reply->headers);
        reply->is_there = true;
        reply->status = status;
        reply->size = size;
        http_request_wake(request, HTTP_ANSWERED);
        return 0;
}

static int answer_data(HttpRequest *request, unsigned status, const void *data, size_t size) {
        if (size > 0)
                buffer_put(&request->reply.body, data, size);
        return answer(request, status, size);
}

int http_request_reply(HttpRequest *request, unsigned status) {
        assert(request);

        return answer(request, status, 0);
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

        return answer_data(request, status, data, size);
}

static char *format_problem(const HttpStatus *status, const char *detail) {
        _cleanup_(json_freep) Json *problem = json_new_object();

        json_add_string(problem, "type", http_status_problem_type(status->error));
        json_add_string(problem, "title", error_info(status->error)->title);
        json_add_uint(problem, "status", status->code);
        if (detail)
                json_add_string(problem, "detail", detail);
        return json_format(problem, false);
}

int http_request_reply_error(HttpRequest *request, int error, const char *detail) {
        const HttpStatus *status = http_status(error);
        char retry[sizeof("4294967295")];
        _cleanup_free_ char *body = NULL;

        assert(request);

        if (buffer_error(&request->reply.headers) < 0)
                buffer_clear(&request->reply.headers); /* of the reply that could not be made */
        if (status->retry_sec > 0) {
                (void) snprintf(retry, sizeof(retry), "%u", status->retry_sec);
                (void) http_request_add_header(request, "Retry-After", retry);
        }
        (void) http_request_add_header(request, "Content-Type", "application/problem+json");
        (void) http_request_add_header(request, "Cache-Control", "no-store");

        body = format_problem(status, detail);
        /* Without a reply, the connection is cut. */
        if (!body || answer_data(request, status->code, body, strlen(body)) < 0)
                http_request_wake(request, HTTP_ANSWERED);

        return 0;
}

int http_request_reply_head(HttpRequest *request, unsigned status, uint64_t size) {
        assert(request);

        return answer(request, status, size);
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

int http_request_reply_stream(
                HttpRequest *request, unsigned status, uint64_t size, const HttpStream *stream) {
        assert(request);
        assert(stream->read);

        request->reply.stream = *stream; /* closed when the request is over, whatever becomes of
                                            this */
        return answer(request, status, size);
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
                buffer_clear(&request->reply.headers); /* of the value */
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
                return answer_data(
                                request, partial ? 206 : 200,
                                data ? (const char *) data + range.offset : NULL,
                                (size_t) range.size);

        r = value->open(value->userdata, range.offset, range.size, &stream);
        if (r < 0) {
                buffer_clear(&request->reply.headers);
                return r;
        }
        return http_request_reply_stream(request, partial ? 206 : 200, range.size, &stream);
}

/* Whether any field of this name, a list, has this member. */
static bool has_member(const HttpRequest *request, const char *name, const char *member) {
        const char *field, *value;
        size_t position = 0;

        while (http_parser_next_field(request->head, &position, &field, &value))
                if (strcasecmp(field, name) == 0 && http_list_has(value, member))
                        return true;
        return false;
}

/* Behind a body, or on a connection that is about to end, another protocol could not begin. */
static bool may_upgrade(const HttpRequest *request, const char *protocol) {
        return request->head->keep_alive && !request->head->framing.is_1_0 && request->size == 0 &&
               !request->expects_continue && strcmp(request->method, "GET") == 0 &&
               has_member(request, "Connection", "upgrade") &&
               has_member(request, "Upgrade", protocol);
}

int http_request_upgrade(
                HttpRequest *request,
                const char *protocol,
                void (*on_upgraded)(const HttpUpgraded *upgraded, void *userdata),
                void *userdata) {
        assert(request);
        assert(protocol);
        assert(on_upgraded);

        if (!may_upgrade(request, protocol))
                return -EOPNOTSUPP;

        (void) http_request_add_header(request, "Upgrade", protocol);
        request->reply.on_upgraded = on_upgraded;
        request->reply.upgraded_userdata = userdata;
        return answer(request, 101, 0);
}
