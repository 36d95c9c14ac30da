/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "http/parser/date.h"
#include "http/sender.h"

/* A piece of a body that comes from elsewhere: the larger, the less often a client is woken. One
 * that does not take all of it at once gets smaller pieces, since the rest of them is kept. */
#define PIECE_MIN (128 * KIB)
#define PIECE_MAX (512 * KIB)

/* What a chunk has around it */
#define CHUNK_HEAD 16
#define CHUNK_TAIL 2

static_assert(HTTP_SENDER_ROOM == CHUNK_HEAD + PIECE_MAX + CHUNK_TAIL, "room for a piece");

/* What the kernel takes before it can be sent: enough to go on with while the next piece is read,
 * but not megabytes that wait for a slow client. */
#define UNSENT_MAX PIECE_MAX

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* clang-format off */
static const struct {
        unsigned status;
        const char *reason;
} reasons[] = {
        { 101, "Switching Protocols"             },
        { 200, "OK"                              },
        { 201, "Created"                         },
        { 202, "Accepted"                        },
        { 204, "No Content"                      },
        { 206, "Partial Content"                 },
        { 303, "See Other"                       },
        { 304, "Not Modified"                    },
        { 307, "Temporary Redirect"              },
        { 308, "Permanent Redirect"              },
        { 400, "Bad Request"                     },
        { 401, "Unauthorized"                    },
        { 403, "Forbidden"                       },
        { 404, "Not Found"                       },
        { 405, "Method Not Allowed"              },
        { 408, "Request Timeout"                 },
        { 409, "Conflict"                        },
        { 410, "Gone"                            },
        { 411, "Length Required"                 },
        { 412, "Precondition Failed"             },
        { 413, "Content Too Large"               },
        { 414, "URI Too Long"                    },
        { 416, "Range Not Satisfiable"           },
        { 417, "Expectation Failed"              },
        { 421, "Misdirected Request"             },
        { 425, "Too Early"                       },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error"           },
        { 501, "Not Implemented"                 },
        { 502, "Bad Gateway"                     },
        { 503, "Service Unavailable"             },
        { 504, "Gateway Timeout"                 },
        { 505, "HTTP Version Not Supported"      },
        { 507, "Insufficient Storage"            },
};
/* clang-format on */

static const char *reason_of(unsigned status) {
        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "";
}

/* Most answers of a second have the same. */
static const char *get_date(void) {
        static _Thread_local char date[HTTP_DATE_SIZE];
        static _Thread_local time_t date_sec;
        struct timespec now;

        (void) clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec != date_sec) {
                date_sec = now.tv_sec;
                http_date_format((uint64_t) now.tv_sec, date);
        }
        return date;
}

static void put(HttpSender *sender, const char *text) {
        size_t size = strlen(text);

        assert(size <= sizeof(sender->head) - sender->head_size);
        memcpy(sender->head + sender->head_size, text, size);
        sender->head_size += size;
}

static void put_status(HttpSender *sender, unsigned status) {
        const char digits[] = { (char) ('0' + status / 100 % 10), (char) ('0' + status / 10 % 10),
                                (char) ('0' + status % 10), '\0' };

        put(sender, "HTTP/1.1 ");
        put(sender, digits);
        put(sender, " ");
        put(sender, reason_of(status));
        put(sender, "\r\nDate: ");
        put(sender, get_date());
        put(sender, "\r\n");
}

static void put_length(HttpSender *sender, const HttpReply *reply) {
        char length[DECIMAL_SIZE(reply->size)];

        if (sender->is_chunked)
                put(sender, "Transfer-Encoding: chunked\r\n");
        else if (reply->size != HTTP_SIZE_UNKNOWN && reply->status != 204 && reply->status != 101) {
                (void) format_u64(reply->size, length);
                put(sender, "Content-Length: ");
                put(sender, length);
                put(sender, "\r\n");
        }
        put(sender, "\r\n");
}

/* The headers of the handler stand between those that are made here. */
static void add_head(
                HttpSender *sender,
                const HttpRequest *request,
                const HttpOrigins *origins,
                bool is_closing) {
        const HttpReply *reply = &request->reply;
        HttpOutput *output = &sender->output;
        const char *origin, *origin_value;
        size_t begin;

        sender->head_size = 0;
        put_status(sender, reply->status);
        if (reply->status == 101)
                put(sender, "Connection: Upgrade\r\n");
        else if (is_closing)
                put(sender, "Connection: close\r\n");
        else if (request->head->framing.is_1_0)
                put(sender, "Connection: keep-alive\r\n");
        begin = sender->head_size;
        put_length(sender, reply);

        origin = http_origin_headers(request, origins, &origin_value);
        http_output_add(output, sender->head, begin);
        http_output_add(output, reply->headers.data, reply->headers.size);
        http_output_add(output, origin, strlen(origin));
        if (origin_value) {
                http_output_add(output, origin_value, strlen(origin_value));
                http_output_add(output, "\r\n", 2);
        }
        http_output_add(output, sender->head + begin, sender->head_size - begin);
}

static void add_chunk(HttpSender *sender, uint8_t *data, size_t size) {
        char head[CHUNK_HEAD];
        size_t n = (size_t) snprintf(head, sizeof(head), "%zx\r\n", size);

        memcpy(data - n, head, n);
        memcpy(data + size, "\r\n", 2);
        http_output_add(&sender->output, data - n, n + size + 2);
}

/* The stream has ended. Returns 0, or -EIO if that was too early. */
static int end_stream(HttpSender *sender, const HttpReply *reply) {
        if (sender->is_chunked)
                http_output_add(&sender->output, "0\r\n\r\n", 5);
        else if (reply->size != HTTP_SIZE_UNKNOWN && sender->sent < reply->size)
                return -EIO;

        sender->is_complete = true;
        return 0;
}

/* How large the next piece may be, depending on what became of the one before. */
static size_t choose_piece(const HttpSender *sender) {
        if (sender->has_stalled)
                return MAX(sender->piece_size / 2, PIECE_MIN);
        return sender->is_full ? MIN(sender->piece_size * 2, PIECE_MAX) : sender->piece_size;
}

int http_sender_add(HttpSender *sender, const HttpRequest *request) {
        const HttpReply *reply = &request->reply;
        uint8_t *data = sender->room + CHUNK_HEAD;
        ssize_t n = 0;

        free(TAKE_PTR(sender->kept));
        sender->piece_size = choose_piece(sender);
        sender->has_stalled = false;

        if (reply->size == HTTP_SIZE_UNKNOWN || sender->sent < reply->size)
                n = reply->stream.read(
                                reply->stream.userdata, data,
                                (size_t) MIN(reply->size - sender->sent, sender->piece_size));
        if (n == -EAGAIN) {
                sender->is_dry = true;
                return 0;
        }
        if (n < 0)
                return -EIO;
        if (n == 0)
                return end_stream(sender, reply);

        sender->sent += (uint64_t) n;
        sender->is_full = (size_t) n == sender->piece_size;
        if (sender->is_chunked)
                add_chunk(sender, data, (size_t) n);
        else
                http_output_add(&sender->output, data, (size_t) n);
        return 0;
}

/* Whether the answer to this request has one. */
static bool has_body(const HttpRequest *request) {
        unsigned status = request->reply.status;

        return strcmp(request->method, "HEAD") != 0 && status != 101 && status != 204 &&
               status != 304;
}

static void limit_unsent(int fd) {
        static const int max = UNSENT_MAX;

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max, sizeof(max)); /* saves memory */
}

int http_sender_begin(
                HttpSender *sender,
                HttpRequest *request,
                const HttpOrigins *origins,
                bool is_closing) {
        const HttpReply *reply = &request->reply;

        sender->sent = 0;
        sender->piece_size = PIECE_MIN;
        sender->is_full = sender->has_stalled = false;
        sender->is_dry = false;
        sender->is_complete = !has_body(request) || !reply->stream.read;
        sender->is_chunked = !sender->is_complete && reply->size == HTTP_SIZE_UNKNOWN &&
                             !request->head->framing.is_1_0;

        if (!sender->is_complete)
                limit_unsent(request->fd);
        add_head(sender, request, origins, is_closing);
        if (has_body(request))
                http_output_add(&sender->output, reply->body.data, reply->body.size);
        return sender->is_complete ? 0 : http_sender_add(sender, request);
}

int http_sender_keep(HttpSender *sender) {
        HttpOutput *output = &sender->output;

        sender->has_stalled |= !http_output_is_empty(output);
        for (size_t i = output->first; i < output->n; i++) {
                struct iovec *piece = output->pieces + i;
                uint8_t *data = piece->iov_base;

                if (data < sender->room || data >= sender->room + HTTP_SENDER_ROOM)
                        continue;
                sender->kept = malloc(piece->iov_len);
                if (!sender->kept) {
                        output->n = output->first = 0;
                        return -ENOMEM;
                }
                piece->iov_base = memcpy(sender->kept, data, piece->iov_len);
        }
        return 0;
}

void http_sender_continue(HttpSender *sender) {
        http_output_add(&sender->output, CONTINUE, strlen(CONTINUE));
}

/* A body whose end is that of the connection would seem complete. */
void http_sender_cut(const HttpSender *sender, const HttpRequest *request) {
        struct linger linger = { .l_onoff = 1 };

        if (!sender->is_chunked && request->reply.size == HTTP_SIZE_UNKNOWN)
                (void) setsockopt(request->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

uint64_t http_sender_count(const HttpSender *sender, const HttpRequest *request, bool is_complete) {
        if (!is_complete || !has_body(request))
                return sender->sent;
        return sender->sent + request->reply.body.size;
}

void http_sender_end(HttpSender *sender) {
        free(TAKE_PTR(sender->kept));
        sender->sent = 0;
}
