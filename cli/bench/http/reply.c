/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "bench/http/reply.h"

void response_done(Response *response) {
        buffer_done(&response->location);
        buffer_done(&response->line);
        *response = (Response){};
}

void response_begin(Response *response) {
        Buffer location = response->location, line = response->line;

        buffer_clear(&location);
        buffer_clear(&line);
        *response = (Response){ .location = location, .line = line };
}

const char *response_location(const Response *response) {
        return response->location.size > 0 ? (const char *) response->location.data : NULL;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static int parse_status(Response *response, const char *line, size_t size) {
        static const char version[] = "HTTP/1.";
        const char *status = line + sizeof(version) + 1;

        /* "HTTP/1.1 200", after which a reason may follow. */
        if (size < 12 || memcmp(line, version, sizeof(version) - 1) != 0 || !is_digit(line[7]) ||
            line[8] != ' ' || (size > 12 && line[12] != ' '))
                return -EBADMSG;
        if (!is_digit(status[0]) || !is_digit(status[1]) || !is_digit(status[2]))
                return -EBADMSG;

        response->status = (unsigned) (status[0] - '0') * 100 + (unsigned) (status[1] - '0') * 10 +
                           (unsigned) (status[2] - '0');
        if (response->status < 100)
                return -EBADMSG;

        response->keep_alive = line[7] != '0';
        response->state = RESPONSE_HEADER;
        return 0;
}

static int parse_number(const char *text, size_t size, unsigned base, uint64_t *ret) {
        uint64_t n = 0;

        if (size == 0)
                return -EBADMSG;

        for (size_t i = 0; i < size; i++) {
                char lower = (char) (text[i] | 0x20);
                unsigned digit;

                if (is_digit(text[i]))
                        digit = (unsigned) (text[i] - '0');
                else if (base == 16 && lower >= 'a' && lower <= 'f')
                        digit = (unsigned) (lower - 'a') + 10;
                else
                        return -EBADMSG;

                if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
                        return -EBADMSG;
        }

        *ret = n;
        return 0;
}

static bool equals(const char *text, size_t size, const char *word) {
        return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

static int parse_length(Response *response, const char *value, size_t size) {
        uint64_t length;
        int r;

        r = parse_number(value, size, 10, &length);
        if (r < 0)
                return r;
        if (response->has_length && response->length != length)
                return -EBADMSG;

        response->has_length = true;
        response->length = length;
        return 0;
}

/* Told apart by the length of the name first: most headers are none of these. */
static int
use_header(Response *response, const char *name, size_t name_size, const char *value, size_t size) {
        switch (name_size) {
        case sizeof("Location") - 1:
                if (!equals(name, name_size, "Location"))
                        break;
                buffer_clear(&response->location);
                buffer_put(&response->location, value, size);
                buffer_put_u8(&response->location, 0);
                return buffer_error(&response->location);

        case sizeof("Connection") - 1:
                if (!equals(name, name_size, "Connection"))
                        break;
                if (equals(value, size, "close"))
                        response->keep_alive = false;
                else if (equals(value, size, "keep-alive"))
                        response->keep_alive = true;
                break;

        case sizeof("Content-Length") - 1:
                if (equals(name, name_size, "Content-Length"))
                        return parse_length(response, value, size);
                break;

        case sizeof("Transfer-Encoding") - 1:
                if (!equals(name, name_size, "Transfer-Encoding"))
                        break;
                if (!equals(value, size, "chunked"))
                        return -EBADMSG;
                response->chunked = true;
                break;

        default:
                break;
        }

        return 0;
}

static int end_of_head(Response *response) {
        unsigned status = response->status;

        if (status < 200 || status == 204 || status == 304)
                response->state = RESPONSE_COMPLETE;
        else if (response->chunked)
                response->state = RESPONSE_CHUNK_SIZE;
        else if (!response->has_length) {
                response->keep_alive = false;
                response->state = RESPONSE_TO_CLOSE;
        } else {
                response->left = response->length;
                response->state = response->left > 0 ? RESPONSE_LENGTH : RESPONSE_COMPLETE;
        }

        return 0;
}

static int parse_header(Response *response, const char *line, size_t size) {
        const char *colon, *value, *end = line + size;

        if (size == 0)
                return end_of_head(response);

        colon = memchr(line, ':', size);
        if (!colon || colon == line)
                return -EBADMSG;

        for (value = colon + 1; value < end && (*value == ' ' || *value == '\t');)
                value++;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;

        return use_header(response, line, (size_t) (colon - line), value, (size_t) (end - value));
}

static int parse_chunk_size(Response *response, const char *line, size_t size) {
        const char *extension = memchr(line, ';', size);
        int r;

        if (extension)
                size = (size_t) (extension - line);
        while (size > 0 && line[size - 1] == ' ')
                size--;

        r = parse_number(line, size, 16, &response->left);
        if (r < 0)
                return r;

        response->state = response->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
        return 0;
}

/* LINE comes without its end. */
static int parse_line(Response *response, const char *line, size_t size) {
        switch (response->state) {
        case RESPONSE_STATUS:
                return parse_status(response, line, size);
        case RESPONSE_HEADER:
                return parse_header(response, line, size);
        case RESPONSE_CHUNK_SIZE:
                return parse_chunk_size(response, line, size);
        case RESPONSE_CHUNK_END:
                response->state = RESPONSE_CHUNK_SIZE;
                return size == 0 ? 0 : -EBADMSG;
        case RESPONSE_TRAILER:
                if (size == 0)
                        response->state = RESPONSE_COMPLETE;
                return 0;
        default:
                assert(!"no line is expected here");
                return -EBADMSG;
        }
}

/* Consumes up to the end of a line. */
static ssize_t feed_line(Response *response, const char *data, size_t size) {
        const char *newline = memchr(data, '\n', size);
        size_t n = newline ? (size_t) (newline - data) + 1 : size, length;
        const char *line = data;
        int r;

        if (response->state == RESPONSE_STATUS || response->state == RESPONSE_HEADER)
                response->head_size += n;
        if (response->head_size > RESPONSE_HEAD_MAX || response->line.size > RESPONSE_HEAD_MAX)
                return -E2BIG;

        length = n;
        if (!newline || response->line.size > 0) {
                buffer_put(&response->line, data, n);
                r = buffer_error(&response->line);
                if (r < 0)
                        return r;
                line = (const char *) response->line.data;
                length = response->line.size;
        }
        if (!newline)
                return (ssize_t) n;

        length--;
        if (length > 0 && line[length - 1] == '\r')
                length--;

        r = parse_line(response, line, length);
        buffer_clear(&response->line);
        return r < 0 ? r : (ssize_t) n;
}

static size_t feed_body(Response *response, size_t size) {
        if (response->state == RESPONSE_TO_CLOSE)
                return size;

        size = MIN(size, response->left);
        response->left -= size;
        if (response->left == 0)
                response->state = response->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END
                                                                    : RESPONSE_COMPLETE;
        return size;
}

ssize_t response_feed(
                Response *response,
                const void *data,
                size_t size,
                const void **ret_body,
                size_t *ret_body_size) {
        size_t consumed = 0;

        while (consumed < size && response->state != RESPONSE_COMPLETE) {
                const char *p = (const char *) data + consumed;
                ssize_t n;

                if (response->state == RESPONSE_LENGTH || response->state == RESPONSE_TO_CLOSE ||
                    response->state == RESPONSE_CHUNK) {
                        *ret_body = p;
                        *ret_body_size = feed_body(response, size - consumed);
                        return (ssize_t) (consumed + *ret_body_size);
                }

                n = feed_line(response, p, size - consumed);
                if (n < 0)
                        return n;
                consumed += (size_t) n;
        }

        *ret_body = NULL;
        *ret_body_size = 0;
        return (ssize_t) consumed;
}

int response_close(Response *response) {
        if (response->state == RESPONSE_TO_CLOSE)
                response->state = RESPONSE_COMPLETE;
        if (response->state == RESPONSE_COMPLETE)
                return 0;

        return response->head_size == 0 ? -ECONNRESET : -EPIPE;
}
