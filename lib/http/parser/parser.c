/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/parser/parser.h"
#include "http/parser/text.h"

/* In front of a chunk: the digits of its size, and the end of the line. More of them count as an
 * extension does. */
#define CHUNK_DIGITS_MAX 16
#define CHUNK_LINE_MAX   (CHUNK_DIGITS_MAX + 2)

void http_parser_init(HttpParser *parser, bool is_request, char *store, size_t head_max) {
        assert(store);

        *parser = (HttpParser){
                .framing.is_request = is_request,
                .store = store,
                .head_max = head_max,
        };
}

void http_parser_begin(HttpParser *parser) {
        http_parser_init(parser, parser->framing.is_request, parser->store, parser->head_max);
}

void http_parser_expect_no_body(HttpParser *parser) {
        assert(!parser->framing.is_request);

        parser->has_no_body = true;
}

static int refuse(HttpParser *parser, int error, const char *complaint) {
        parser->complaint = complaint;
        return error;
}

static int complain_about(HttpParser *parser, char c) {
        return refuse(parser, -EINVAL,
                      c == '\n' ? "A line ends in LF alone; lines end in CRLF."
                                : "There is a control character.");
}

/* What is longer than its limit. */
static int complain_about_size(HttpParser *parser) {
        switch (parser->state) {
        case HTTP_PARSER_START:
                return refuse(parser, -ENAMETOOLONG, "The first line is longer than the limit.");
        case HTTP_PARSER_CHUNK_SIZE:
                return refuse(parser, -EINVAL, "The line in front of a chunk is too long.");
        default:
                return refuse(parser, -E2BIG, NULL);
        }
}

/* Takes what there is of a line of up to MAX bytes, with its end. Returns how many bytes that are,
 * and the line, without its end, if it is complete: else NULL. */
static ssize_t take_line(
                HttpParser *parser,
                const char *data,
                size_t size,
                size_t max,
                char **ret_line,
                size_t *ret_size) {
        size_t before = parser->used - parser->line, n = 0;
        size_t available = MIN(size, max - before);
        bool is_ending = before > 0 && parser->store[parser->used - 1] == '\r';

        *ret_line = NULL;
        if (!is_ending) {
                n = http_span(HTTP_VALUE, data, available);
                memcpy(parser->store + parser->used, data, n);
                parser->used += n;
                if (n < available) {
                        if (data[n] != '\r')
                                return complain_about(parser, data[n]);
                        parser->store[parser->used++] = '\r';
                        n++;
                        is_ending = true;
                }
        }
        if (is_ending && n < available) {
                if (data[n] != '\n')
                        return refuse(parser, -EINVAL, "There is a CR without its LF.");
                parser->store[parser->used - 1] = '\0';
                *ret_line = parser->store + parser->line;
                *ret_size = parser->used - 1 - parser->line;
                return (ssize_t) n + 1;
        }

        return n < size ? complain_about_size(parser) : (ssize_t) n;
}

/* The line was used; what is kept of it ends at END. */
static void keep_until(HttpParser *parser, size_t end) {
        parser->used = parser->line = end;
}

/* "HTTP/1.1": what comes later in 1.x can be read as that (RFC 9110, 2.5). */
static int parse_version(HttpParser *parser, const char *text, size_t size) {
        if (size != 8 || memcmp(text, "HTTP/", 5) != 0 || !http_is_digit(text[5]) ||
            text[6] != '.' || !http_is_digit(text[7]))
                return refuse(parser, -EINVAL, "The first line has no version of HTTP.");
        if (text[5] != '1')
                return refuse(parser, -EPROTOTYPE, NULL);

        parser->framing.is_1_0 = text[7] == '0';
        return 0;
}

static int parse_request_line(HttpParser *parser, char *line, size_t size) {
        size_t method = http_span(HTTP_TOKEN, line, size), end;
        char *target = line + method + 1;
        int r;

        if (method == 0 || line[method] != ' ')
                return refuse(parser, -EINVAL, "The first line does not begin with a method.");
        if (method > HTTP_METHOD_MAX)
                return refuse(parser, -EOPNOTSUPP, NULL);

        end = method + 1 + http_span(HTTP_TARGET, target, size - method - 1);
        if (end == method + 1 || line[end] != ' ')
                return refuse(parser, -EINVAL, "The target of the request is malformed.");

        r = parse_version(parser, line + end + 1, size - end - 1);
        if (r < 0)
                return r;

        line[method] = line[end] = '\0';
        parser->method = line;
        r = http_target_parse(target, line, &parser->target);
        if (r < 0)
                return refuse(parser, r, "The target of the request is malformed.");

        keep_until(parser, parser->line + end + 1);
        return 0;
}

/* "HTTP/1.1 200", behind which a reason may follow; there are servers that leave out its blank. */
static int parse_status_line(HttpParser *parser, const char *line, size_t size) {
        uint64_t status;
        int r;

        r = parse_version(parser, line, MIN(size, strcspn(line, " ")));
        if (r < 0)
                return r;
        if (size < 12 || (size > 12 && line[12] != ' ') ||
            http_parse_number(line + 9, 3, 10, &status) < 0 || status < 100)
                return refuse(parser, -EINVAL, "The first line has no status.");

        parser->status = (unsigned) status;
        keep_until(parser, parser->line);
        return 0;
}

/* One that may be there sets the bit that all of the same length and first letter have. */
static uint64_t name_bit(const char *name, size_t size) {
        return UINT64_C(1) << ((size * 5 + (uint8_t) (name[0] | 0x20)) % 64);
}

/* Makes two strings, one behind the other, of a line. Returns where they end, or -EINVAL. */
static ssize_t split_field(
                HttpParser *parser, char *line, size_t size, char **ret_name, char **ret_value) {
        size_t name = http_span(HTTP_TOKEN, line, size), start = name + 1, end = size;

        if (http_is_blank(line[0]))
                return refuse(parser, -EINVAL, "A header goes on in the next line.");
        if (name == 0 || line[name] != ':')
                return refuse(parser, -EINVAL,
                              "The name of a header is malformed, or no colon is right behind it.");

        while (start < end && http_is_blank(line[start]))
                start++;
        while (end > start && http_is_blank(line[end - 1]))
                end--;

        line[name] = '\0';
        memmove(line + name + 1, line + start, end - start);
        line[name + 1 + end - start] = '\0';
        *ret_name = line;
        *ret_value = line + name + 1;
        return (ssize_t) (name + 2 + end - start);
}

static bool has_body(const HttpParser *parser) {
        unsigned status = parser->status;

        if (parser->framing.is_request)
                return parser->framing.is_chunked || parser->framing.size > 0;
        if (parser->has_no_body || status < 200 || status == 204 || status == 304)
                return false;
        return !parser->framing.has_size || parser->framing.size > 0;
}

static int end_head(HttpParser *parser, HttpEvent *ret_event) {
        HttpFraming *framing = &parser->framing;
        int r;

        r = http_framing_check(framing, &parser->complaint);
        if (r < 0)
                return r;

        parser->keep_alive = !framing->says_close && (!framing->is_1_0 || framing->says_keep_alive);
        if (!has_body(parser))
                parser->state = HTTP_PARSER_END;
        else if (framing->is_chunked)
                parser->state = HTTP_PARSER_CHUNK_SIZE;
        else if (framing->has_size) {
                parser->left = framing->size;
                parser->state = HTTP_PARSER_SIZED;
        } else {
                parser->keep_alive = false;
                parser->state = HTTP_PARSER_TO_CLOSE;
        }

        keep_until(parser, parser->line);
        *ret_event = HTTP_EVENT_HEAD;
        return 0;
}

static int use_first_line(HttpParser *parser, char *line, size_t size) {
        int r;

        if (size == 0 && parser->framing.is_request && !parser->has_skipped) {
                parser->has_skipped = true;
                keep_until(parser, parser->line);
                return 0;
        }

        r = parser->framing.is_request ? parse_request_line(parser, line, size)
                                       : parse_status_line(parser, line, size);
        if (r < 0)
                return r;

        parser->fields = parser->line;
        parser->state = HTTP_PARSER_FIELDS;
        return 0;
}

static int use_field(HttpParser *parser, char *line, size_t size, HttpEvent *ret_event) {
        char *name, *value;
        ssize_t end;

        if (size == 0)
                return end_head(parser, ret_event);

        end = split_field(parser, line, size, &name, &value);
        if (end < 0)
                return (int) end;

        parser->names |= name_bit(name, (size_t) (value - name) - 1);
        keep_until(parser, parser->line + (size_t) end);
        return http_framing_add(&parser->framing, name, value, &parser->complaint);
}

static ssize_t feed_head(HttpParser *parser, const char *data, size_t size, HttpEvent *ret_event) {
        size_t length, max = parser->head_max - parser->received;
        char *line;
        ssize_t n;
        int r;

        n = take_line(parser, data, size, max, &line, &length);
        if (n < 0 || !line)
                return n;

        parser->received += length + 2;
        r = parser->state == HTTP_PARSER_START ? use_first_line(parser, line, length)
                                               : use_field(parser, line, length, ret_event);
        return r < 0 ? r : n;
}

/* Behind a "\"": returns where the string ends, which has another one there, or NULL. */
static const char *skip_quoted(const char *p) {
        for (; *p != '\0' && *p != '"'; p++)
                if (*p == '\\' && *++p == '\0')
                        return NULL;
        return *p == '"' ? p + 1 : NULL;
}

static const char *skip_blanks(const char *p) {
        return p + strspn(p, " \t");
}

/* ";name" or ";name=value", any number of them, with blanks around the marks (RFC 9112, 7.1.1). */
static bool is_extension(const char *p) {
        while (*p != '\0') {
                size_t n;

                p = skip_blanks(p);
                if (*p++ != ';')
                        return false;
                p = skip_blanks(p);
                n = http_span(HTTP_TOKEN, p, strlen(p));
                if (n == 0)
                        return false;
                p += n;

                if (*skip_blanks(p) != '=')
                        continue;
                p = skip_blanks(skip_blanks(p) + 1);
                if (*p == '"') {
                        p = skip_quoted(p + 1);
                        if (!p)
                                return false;
                        continue;
                }
                n = http_span(HTTP_TOKEN, p, strlen(p));
                if (n == 0)
                        return false;
                p += n;
        }

        return true;
}

static ssize_t feed_chunk_size(HttpParser *parser, const char *data, size_t size) {
        size_t length, digits = 0;
        char *line;
        ssize_t n;
        int r;

        n = take_line(parser, data, size, CHUNK_LINE_MAX + HTTP_TAIL_MAX - parser->tail, &line,
                      &length);
        if (n < 0 || !line)
                return n;

        while (http_hex_digit(line[digits]) >= 0)
                digits++;
        r = http_parse_number(line, digits, 16, &parser->left);
        if (r == -ERANGE)
                return refuse(parser, -EFBIG, "A chunk is larger than anything can be.");
        if (r < 0)
                return refuse(parser, r, "The size of a chunk is malformed.");
        if (!is_extension(line + digits))
                return refuse(parser, -EINVAL, "The extension of a chunk is malformed.");
        parser->tail += length - MIN(digits, (size_t) CHUNK_DIGITS_MAX);
        if (parser->tail > HTTP_TAIL_MAX)
                return complain_about_size(parser);

        keep_until(parser, parser->line);
        parser->state = parser->left > 0 ? HTTP_PARSER_CHUNK : HTTP_PARSER_TRAILERS;
        return n;
}

static ssize_t feed_chunk_end(HttpParser *parser, const char *data, size_t size) {
        size_t length;
        char *line;
        ssize_t n;

        if (parser->used == parser->line && *data != '\r')
                return refuse(parser, -EINVAL, "A chunk is longer than its size.");

        n = take_line(parser, data, size, 2, &line, &length);
        if (n < 0 || !line)
                return n;

        keep_until(parser, parser->line);
        parser->state = HTTP_PARSER_CHUNK_SIZE;
        return n;
}

static ssize_t feed_trailer(
                HttpParser *parser, const char *data, size_t size, HttpEvent *ret_event) {
        char *line, *name, *value;
        size_t length;
        ssize_t n;

        n = take_line(parser, data, size, HTTP_TAIL_MAX - parser->tail, &line, &length);
        if (n < 0 || !line)
                return n;

        parser->tail += length + 2;
        keep_until(parser, parser->line);
        if (length == 0) {
                parser->state = HTTP_PARSER_END;
                return n;
        }

        if (split_field(parser, line, length, &name, &value) < 0)
                return -EINVAL;
        if (http_framing_is_early(name))
                return refuse(parser, -EINVAL, "A header stands behind the body.");
        parser->trailer_name = name;
        parser->trailer_value = value;
        *ret_event = HTTP_EVENT_TRAILER;
        return n;
}

static ssize_t feed_body(HttpParser *parser, const char *data, size_t size, HttpEvent *ret_event) {
        if (parser->state != HTTP_PARSER_TO_CLOSE) {
                size = (size_t) MIN((uint64_t) size, parser->left);
                parser->left -= size;
                if (parser->left == 0)
                        parser->state = parser->state == HTTP_PARSER_CHUNK ? HTTP_PARSER_CHUNK_END
                                                                           : HTTP_PARSER_END;
        }

        parser->piece = data;
        parser->piece_size = size;
        *ret_event = HTTP_EVENT_BODY;
        return (ssize_t) size;
}

static ssize_t step(HttpParser *parser, const char *data, size_t size, HttpEvent *ret_event) {
        switch (parser->state) {
        case HTTP_PARSER_START:
        case HTTP_PARSER_FIELDS:
                return feed_head(parser, data, size, ret_event);
        case HTTP_PARSER_SIZED:
        case HTTP_PARSER_TO_CLOSE:
        case HTTP_PARSER_CHUNK:
                return feed_body(parser, data, size, ret_event);
        case HTTP_PARSER_CHUNK_SIZE:
                return feed_chunk_size(parser, data, size);
        case HTTP_PARSER_CHUNK_END:
                return feed_chunk_end(parser, data, size);
        case HTTP_PARSER_TRAILERS:
                return feed_trailer(parser, data, size, ret_event);
        case HTTP_PARSER_FAILED:
                return parser->error;
        case HTTP_PARSER_END:
        default:
                *ret_event = HTTP_EVENT_END;
                return 0;
        }
}

ssize_t http_parser_feed(HttpParser *parser, const void *data, size_t size, HttpEvent *ret_event) {
        size_t consumed = 0;

        assert(data || size == 0);

        *ret_event = HTTP_EVENT_MORE;
        while (*ret_event == HTTP_EVENT_MORE &&
               (consumed < size || parser->state == HTTP_PARSER_END)) {
                ssize_t n;

                n = step(parser, (const char *) data + consumed, size - consumed, ret_event);
                if (n < 0) {
                        parser->state = HTTP_PARSER_FAILED;
                        parser->error = (int) n;
                        return n;
                }
                consumed += (size_t) n;
        }

        return (ssize_t) consumed;
}

int http_parser_close(HttpParser *parser) {
        if (parser->state == HTTP_PARSER_TO_CLOSE)
                parser->state = HTTP_PARSER_END;
        if (parser->state == HTTP_PARSER_END)
                return 0;

        return http_parser_has_begun(parser) ? -EPIPE : -ECONNRESET;
}

bool http_parser_next_field(
                const HttpParser *parser,
                size_t *position,
                const char **ret_name,
                const char **ret_value) {
        const char *name = parser->store + parser->fields + *position;

        if (parser->fields + *position >= parser->line)
                return false;

        *ret_name = name;
        *ret_value = name + strlen(name) + 1;
        *position += (size_t) (*ret_value - name) + strlen(*ret_value) + 1;
        return true;
}

const char *http_parser_field(const HttpParser *parser, const char *name) {
        const char *found, *value;
        size_t position = 0;

        if (parser->target.authority && strcasecmp(name, "Host") == 0)
                return parser->target.authority;
        if (!(parser->names & name_bit(name, strlen(name))))
                return NULL;

        while (http_parser_next_field(parser, &position, &found, &value))
                if (strcasecmp(found, name) == 0)
                        return value;
        return NULL;
}
