/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "base/json.h"
#include "master/request/listing.h"
#include "master/world.h"

/* Adds N keys with a record each: "PREFIX0000" and so on. */
static void add_keys(const char *prefix, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                char key[64];
                IndexCommit commit = {
                        .request.done = scratch_answered,
                        .key = key,
                        .record = {
                                .version = index_next_version(world.index, VERSION_DIRECT),
                                .content_type = "",
                                .mtime_usec = USEC_PER_SEC,
                                .copies = { 1 },
                                .n_copies = 1,
                        },
                };

                (void) snprintf(key, sizeof(key), "%s%04u", prefix, i);
                index_commit(world.index, &commit);
                assert_int_equal(scratch_wait(), 0);
        }
}

static Json *list(const char *target) {
        const char *answer = get(target), *body = strchr(body_of(answer), '{');
        Json *page;

        assert_status(answer, 200);
        assert_string_equal(header_of(answer, "Content-Type"), "application/json");
        if (!header_of(answer, "Transfer-Encoding")) {
                assert_ok(json_parse(body, strlen(body), &page));
                return page;
        }
        return NULL;
}

static size_t count(const Json *page) {
        return json_array_size(json_get(page, "keys"));
}

static const char *key_of(const Json *page, size_t i) {
        return json_get_string(json_array_get(json_get(page, "keys"), i), "key");
}

TEST(an_empty_index_has_an_empty_page) {
        _cleanup_(json_freep) Json *page = list("/");

        assert_int_equal(count(page), 0);
        assert_null(json_get(page, "after"));
}

TEST(keys_come_in_order_as_they_are_written_in_addresses) {
        _cleanup_(json_freep) Json *page = NULL;

        assert_status(put("/b", "value"), 201);
        assert_status(put("/a%20c", "v"), 201);
        assert_status(put("/%C3%BC", "v"), 201);
        page = list("/");
        assert_int_equal(count(page), 3);
        assert_string_equal(key_of(page, 0), "a%20c");
        assert_string_equal(key_of(page, 1), "b");
        assert_string_equal(key_of(page, 2), "%C3%BC");
}

TEST(a_prefix_chooses) {
        _cleanup_(json_freep) Json *page = NULL, *none = NULL;

        add_keys("x/", 2);
        add_keys("y/", 3);
        page = list("/?prefix=y%2F");
        assert_int_equal(count(page), 3);
        assert_string_equal(key_of(page, 0), "y/0000");
        none = list("/?prefix=z");
        assert_int_equal(count(none), 0);
}

TEST(pages_follow_each_other_without_a_gap) {
        char target[128] = "/?limit=2";
        unsigned n = 0;

        add_keys("k", 5);
        for (;;) {
                _cleanup_(json_freep) Json *page = list(target);
                const char *after = json_get_string(page, "after");

                for (size_t i = 0; i < count(page); i++) {
                        char key[32];

                        (void) snprintf(key, sizeof(key), "k%04u", n++);
                        assert_string_equal(key_of(page, i), key);
                }
                if (!after)
                        break;
                assert_int_equal(count(page), 2);
                (void) snprintf(target, sizeof(target), "/?limit=2&after=%s", after);
        }
        assert_int_equal(n, 5);
}

TEST(a_page_that_ends_with_the_last_key_says_so) {
        _cleanup_(json_freep) Json *page = NULL;

        add_keys("k", 2);
        page = list("/?limit=2");
        assert_int_equal(count(page), 2);
        assert_null(json_get(page, "after"));
}

/* It comes in pieces. */
TEST(a_long_page_is_complete) {
        static char answer[512 * KIB];
        unsigned n = 0;
        int fd;

        add_keys("a-long-key-so-that-the-page-is-long/", 600);
        fd = fixture_connect(&world.master);
        send_text(fd, "GET /?limit=600 HTTP/1.0\r\n\r\n");
        (void) receive_all(fd, answer, sizeof(answer));
        for (const char *p = answer; (p = strstr(p, "\"key\":")); p++)
                n++;
        assert_int_equal(n, 600);
        assert_string_equal(answer + strlen(answer) - 3, "]}\n");
}

TEST(parameters_that_make_no_sense_are_refused) {
        static const char *const targets[] = {
                "/?limit=0",    "/?limit=10001", "/?limit=x",
                "/?limit=-1",   "/?limit=",      "/?limit=1e3",
                "/?prefix=%zz", "/?after=%",     "/?limit=99999999999999999999",
        };
        char target[2 * KEY_MAX] = "/?prefix=";

        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                assert_status(get(targets[i]), 400);
        memset(target + strlen(target), 'x', KEY_MAX + 1);
        assert_status(get(target), 414);
        assert_status(get("/?limit=10000"), 200);
}

TEST(head_has_the_headers_alone) {
        const char *answer;

        add_keys("k", 1);
        answer = exchange_simple(&world.master, "HEAD", "/");
        assert_status(answer, 200);
        assert_string_equal(body_of(answer), "");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_empty_index_has_an_empty_page),
                RUN(keys_come_in_order_as_they_are_written_in_addresses),
                RUN(a_prefix_chooses),
                RUN(pages_follow_each_other_without_a_gap),
                RUN(a_page_that_ends_with_the_last_key_says_so),
                RUN(a_long_page_is_complete),
                RUN(parameters_that_make_no_sense_are_refused),
                RUN(head_has_the_headers_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
