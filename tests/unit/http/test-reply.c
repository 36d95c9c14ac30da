/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"

#define ETAG       "\"dkv-0123\""
#define MTIME_USEC (UINT64_C(784111777) * USEC_PER_SEC + 999999)
#define DATE       "Sun, 06 Nov 1994 08:49:37 GMT"

static const char text[] = "0123456789abcdef";

static int text_finish(HttpRequest *request) {
        return http_request_reply_value(request, text, NULL, strlen(text), ETAG, MTIME_USEC);
}

/* The part that was asked for, in pieces. */
typedef struct Piecewise {
        uint64_t position, end;
} Piecewise;

static ssize_t piecewise_read(void *userdata, void *data, size_t size) {
        Piecewise *part = userdata;
        size_t n = (size_t) MIN(MIN((uint64_t) size, (uint64_t) 3), part->end - part->position);

        memcpy(data, text + part->position, n);
        part->position += n;
        return (ssize_t) n;
}

static int piecewise_open(void *userdata, uint64_t offset, uint64_t size, HttpStream *ret) {
        Piecewise *part = malloc(sizeof(*part));

        assert_non_null(part);
        *part = (Piecewise){ offset, offset + size };
        *ret = (HttpStream){ .read = piecewise_read, .closed = free, .userdata = part };
        return 0;
}

static int pieces_finish(HttpRequest *request) {
        return http_request_reply_value(
                        request, NULL, &(HttpValue){ .open = piecewise_open }, strlen(text), ETAG,
                        MTIME_USEC);
}

static int failing_open(void *userdata, uint64_t offset, uint64_t size, HttpStream *ret) {
        return -EBADMSG;
}

static int failing_finish(HttpRequest *request) {
        assert_int_equal(
                        http_request_reply_value(
                                        request, NULL, &(HttpValue){ .open = failing_open },
                                        strlen(text), ETAG, MTIME_USEC),
                        -EBADMSG);
        return -EBADMSG;
}

static int empty_finish(HttpRequest *request) {
        return http_request_reply_value(request, NULL, NULL, 0, NULL, MTIME_USEC);
}

static int head_finish(HttpRequest *request) {
        return http_request_reply_head(request, 200, UINT64_C(5) << 40);
}

static int headers_finish(HttpRequest *request) {
        char name[32];

        assert_ok(http_request_add_header(request, "X-Empty", ""));
        for (int i = 0; i < 50; i++) {
                (void) snprintf(name, sizeof(name), "X-%i", i);
                assert_ok(http_request_add_header(request, name, "value"));
        }

        return http_request_reply(request, 204);
}

/* A value with line breaks would be headers of its own. */
static int forged_finish(HttpRequest *request) {
        static const char *const values[] = { "a\r\nb: c", "a\nb: c", "a\r" };

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                assert_ok(http_request_add_header(request, "X-Before", "value"));
                assert_int_equal(http_request_add_header(request, "X", values[i]), -EINVAL);
                assert_int_equal(http_request_add_header(request, "X-Behind", "value"), -EINVAL);
                assert_int_equal(http_request_reply(request, 204), -EINVAL);
        }

        assert_ok(http_request_add_header(request, "X-Before", "value"));
        assert_int_equal(http_request_add_header(request, "X", values[0]), -EINVAL);
        return http_request_reply_error(request, -EHOSTDOWN, NULL);
}

/* A stream whose bytes another thread allows, some at a time; new for each test. */
typedef struct Source {
        HttpRequest *request;
        atomic_size_t allowed;
        size_t sent, size;
        size_t wanted_most; /* how large a piece could be */
        int error;          /* comes where the data would end */
        sem_t dry, closed;
        atomic_int n_closed;
} Source;

static Source *source;
static Fixture fixture;

static char byte_at(size_t i) {
        return (char) ('a' + i % 23);
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        size_t n = MIN(size, source->allowed - source->sent);

        assert_ptr_equal(userdata, source);
        source->wanted_most = MAX(source->wanted_most, size);
        if (n == 0 && source->allowed < source->size) {
                assert_ok(sem_post(&source->dry));
                return -EAGAIN;
        }
        if (n == 0)
                return source->error;

        for (size_t i = 0; i < n; i++)
                ((char *) data)[i] = byte_at(source->sent + i);
        source->sent += n;
        return (ssize_t) n;
}

static void on_closed(void *userdata) {
        assert_ptr_equal(userdata, source);
        source->n_closed++;
        assert_ok(sem_post(&source->closed));
}

static int stream(HttpRequest *request, uint64_t size) {
        HttpStream reply = { on_read, on_closed, source };

        source->request = request;
        return http_request_reply_stream(request, 200, size, &reply);
}

static int sized_finish(HttpRequest *request) {
        return stream(request, source->size);
}

static int chunked_finish(HttpRequest *request) {
        return stream(request, HTTP_SIZE_UNKNOWN);
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",  "/text",    HTTP_PUBLIC, .finish = text_finish    },
        { "GET",  "/pieces",  HTTP_PUBLIC, .finish = pieces_finish  },
        { "GET",  "/failing", HTTP_PUBLIC, .finish = failing_finish },
        { "GET",  "/empty",   HTTP_PUBLIC, .finish = empty_finish   },
        { "HEAD", "/large",   HTTP_PUBLIC, .finish = head_finish    },
        { "GET",  "/headers", HTTP_PUBLIC, .finish = headers_finish },
        { "GET",  "/forged",  HTTP_PUBLIC, .finish = forged_finish  },
        { "GET",  "/sized",   HTTP_PUBLIC, .finish = sized_finish   },
        { "GET",  "/chunked", HTTP_PUBLIC, .finish = chunked_finish },
        {}
};
/* clang-format on */

static int setup(void **state) {
        source = calloc(1, sizeof(*source));
        assert_non_null(source);
        assert_ok(sem_init(&source->dry, 0, 0));
        assert_ok(sem_init(&source->closed, 0, 0));
        fixture_start(&fixture, routes, NULL);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        free(source);
        return 0;
}

static const char *get(const char *path, const char *headers) {
        char request[1024];

        (void) snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" CLOSE "%s\r\n", path,
                        headers);
        return exchange(&fixture, request);
}

static void check_value(const char *path) {
        const char *answer;

        answer = get(path, "");
        assert_status(answer, 200);
        assert_contains(answer, "\r\nETag: " ETAG "\r\n");
        assert_contains(answer, "\r\nLast-Modified: " DATE "\r\n");
        assert_contains(answer, "\r\nAccept-Ranges: bytes\r\n");
        assert_contains(answer, "\r\nContent-Length: 16\r\n");
        assert_lacks(answer, "Content-Range");
        assert_string_equal(body_of(answer), text);

        answer = get(path, "Range: bytes=3-5\r\n");
        assert_status(answer, 206);
        assert_contains(answer, "\r\nContent-Range: bytes 3-5/16\r\n");
        assert_contains(answer, "\r\nContent-Length: 3\r\n");
        assert_string_equal(body_of(answer), "345");

        assert_string_equal(body_of(get(path, "Range: bytes=-2\r\n")), "ef");
        assert_string_equal(body_of(get(path, "Range: bytes=14-\r\n")), "ef");
        assert_status(get(path, "Range: bytes=0-1,3-4\r\n"), 200);

        answer = get(path, "Range: bytes=16-\r\n");
        assert_status(answer, 416);
        assert_contains(answer, "\r\nContent-Range: bytes */16\r\n");
        assert_contains(answer, "application/problem+json");
}

TEST(values_from_memory) {
        check_value("/text");
}

TEST(values_in_pieces) {
        check_value("/pieces");
}

TEST(a_value_that_cannot_be_had_leaves_no_headers) {
        const char *answer = get("/failing", "Range: bytes=3-5\r\n");

        assert_status(answer, 502);
        assert_lacks(answer, "ETag");
        assert_lacks(answer, "Content-Range");
        assert_contains(answer, "application/problem+json");
}

TEST(empty_values) {
        const char *answer = get("/empty", "");

        assert_status(answer, 200);
        assert_contains(answer, "\r\nContent-Length: 0\r\n");
        assert_lacks(answer, "ETag");
        assert_status(get("/empty", "Range: bytes=0-\r\n"), 416);
}

TEST(ranges_of_another_version_are_not_sent) {
        assert_status(get("/text", "Range: bytes=3-5\r\nIf-Range: " ETAG "\r\n"), 206);
        assert_status(get("/text", "Range: bytes=3-5\r\nIf-Range: \"other\"\r\n"), 200);
        assert_status(get("/text", "Range: bytes=3-5\r\nIf-Range: " DATE "\r\n"), 206);
        assert_status(get("/text", "Range: bytes=30-\r\nIf-Range: \"other\"\r\n"), 200);
}

TEST(head_has_the_headers_only) {
        const char *answer;

        answer = exchange(&fixture, "HEAD /pieces HTTP/1.1\r\n" CLOSE "Range: bytes=0-1\r\n\r\n");
        assert_status(answer, 200); /* ranges are for GET */
        assert_contains(answer, "\r\nContent-Length: 16\r\n");
        assert_string_equal(body_of(answer), "");

        answer = exchange_simple(&fixture, "HEAD", "/large");
        assert_contains(answer, "\r\nContent-Length: 5497558138880\r\n");
        assert_string_equal(body_of(answer), "");
}

TEST(added_headers_are_sent_unless_empty) {
        const char *answer = get("/headers", "");

        assert_status(answer, 204);
        assert_contains(answer, "\r\nX-0: value\r\n");
        assert_contains(answer, "\r\nX-49: value\r\n");
        assert_lacks(answer, "X-Empty");
}

TEST(headers_cannot_be_forged_and_an_error_has_none_of_another_reply) {
        const char *answer = get("/forged", "");

        assert_status(answer, 503);
        assert_contains(answer, "\r\nRetry-After: 1\r\n");
        assert_lacks(answer, "\r\nX");
        assert_lacks(answer, "\r\nb: c");
}

/* Whenever the stream runs dry, lets some more through. */
static void *feed(void *userdata) {
        while (source->allowed < source->size) {
                wait_for(&source->dry);
                source->allowed = MIN(source->size, source->allowed + 7001);
                http_request_resume(source->request);
        }

        return NULL;
}

static const char *get_fed(const char *path, size_t size) {
        const char *answer;
        pthread_t feeder;

        source->size = size;
        assert_int_equal(pthread_create(&feeder, NULL, feed, NULL), 0);
        answer = get(path, "");
        assert_int_equal(pthread_join(feeder, NULL), 0);
        wait_for(&source->closed);
        assert_int_equal(source->n_closed, 1);
        return answer;
}

TEST(streams_pause_and_go_on) {
        const char *body = body_of(get_fed("/sized", 200000));

        assert_int_equal(strlen(body), 200000);
        for (size_t i = 0; i < 200000; i++)
                assert_int_equal(body[i], byte_at(i));
}

TEST(streams_of_unknown_size_are_chunked) {
        const char *answer = get_fed("/chunked", 20000);

        assert_contains(answer, "\r\nTransfer-Encoding: chunked\r\n");
        assert_contains(body_of(answer), "abcdefghijklmnopqrstuvw");
        assert_string_equal(answer + strlen(answer) - 7, "\r\n0\r\n\r\n");
}

TEST(a_stream_that_fails_cuts_the_connection) {
        const char *answer;

        source->error = -EIO;
        answer = get_fed("/chunked", 20000);
        assert_status(answer, 200);
        assert_string_not_equal(answer + strlen(answer) - 5, "0\r\n\r\n");
}

TEST(a_stream_that_ends_early_cuts_the_connection) {
        source->size = 100;
        source->allowed = 100;
        source->sent = 50; /* so only 50 are left of the 100 that are announced */
        assert_int_equal(strlen(body_of(get("/sized", ""))), 50);
        wait_for(&source->closed);
}

TEST(a_stream_is_closed_if_the_client_goes_away) {
        int fd = fixture_connect(&fixture);
        char answer[4096];

        source->size = 1000;
        source->allowed = 10;
        send_text(fd, "GET /sized HTTP/1.1\r\n" CLOSE "\r\n");
        receive_until(fd, "\r\n\r\nabcdefghij", answer, sizeof(answer));
        wait_for(&source->dry);
        close(fd);
        source->allowed = 1000;
        http_request_resume(source->request);
        wait_for(&source->closed);
        assert_int_equal(source->n_closed, 1);
}

TEST(a_stream_ends_if_the_server_is_freed) {
        int fd = fixture_connect(&fixture);
        char answer[4096];

        source->size = 1000;
        source->allowed = 10;
        send_text(fd, "GET /sized HTTP/1.1\r\n" CLOSE "\r\n");
        wait_for(&source->dry);
        fixture_stop(&fixture);
        assert_int_equal(source->n_closed, 1);
        (void) receive_all(fd, answer, sizeof(answer));
        assert_int_equal(strlen(body_of(answer)), 10);
}

TEST(a_client_that_takes_all_at_once_gets_large_pieces) {
        _cleanup_free_ char *data = malloc(MIB);
        int fd = fixture_connect(&fixture);
        ssize_t n;

        source->size = source->allowed = 16 * MIB;
        send_text(fd, "GET /sized HTTP/1.1\r\n" CLOSE "\r\n");
        while ((n = recv(fd, data, MIB, 0)) > 0)
                ;
        assert_int_equal(n, 0);
        close(fd);
        wait_for(&source->closed);
        assert_int_equal(source->wanted_most, 512 * KIB);
}

TEST(head_of_a_stream_reads_nothing) {
        source->size = 1000;
        assert_contains(exchange_simple(&fixture, "HEAD", "/sized"),
                        "\r\nContent-Length: 1000\r\n");
        wait_for(&source->closed);
        assert_int_equal(source->sent, 0);
}

#define REPLY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                REPLY_TEST(values_from_memory),
                REPLY_TEST(values_in_pieces),
                REPLY_TEST(a_value_that_cannot_be_had_leaves_no_headers),
                REPLY_TEST(empty_values),
                REPLY_TEST(ranges_of_another_version_are_not_sent),
                REPLY_TEST(head_has_the_headers_only),
                REPLY_TEST(added_headers_are_sent_unless_empty),
                REPLY_TEST(headers_cannot_be_forged_and_an_error_has_none_of_another_reply),
                REPLY_TEST(streams_pause_and_go_on),
                REPLY_TEST(streams_of_unknown_size_are_chunked),
                REPLY_TEST(a_stream_that_fails_cuts_the_connection),
                REPLY_TEST(a_stream_that_ends_early_cuts_the_connection),
                REPLY_TEST(a_stream_is_closed_if_the_client_goes_away),
                REPLY_TEST(a_stream_ends_if_the_server_is_freed),
                REPLY_TEST(a_client_that_takes_all_at_once_gets_large_pieces),
                REPLY_TEST(head_of_a_stream_reads_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
