/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "frame/capture.h"

/* Takes the URL. Returns what bench_set_url() does, and what it says as a new string. */
static int set_url(const char *url, char **ret_said) {
        Capture capture;
        int r;

        capture_begin(&capture, STDERR_FILENO, stderr);
        r = bench_set_url(&bench, url);
        *ret_said = capture_end(&capture, stderr);
        return r;
}

TEST(url_must_be_one_of_a_server) {
        /* clang-format off */
        static const struct {
                const char *url;
                int error;
                const char *said;
        } rows[] = {
                { "http://127.0.0.1",        0,       "" },
                { "http://127.0.0.1/",       0,       "" },
                { "http://127.0.0.1:65535",  0,       "" },
                { "http://[::1]:3000",       0,       "" },
                { "127.0.0.1:3000",          -EINVAL, "The URL '127.0.0.1:3000' is not of the form http://HOST[:PORT].\n" },
                { "https://127.0.0.1",       -EINVAL, "The URL 'https://127.0.0.1' is not of the form http://HOST[:PORT].\n" },
                { "ftp://x",                 -EINVAL, "The URL 'ftp://x' is not of the form http://HOST[:PORT].\n" },
                { "",                        -EINVAL, "The URL '' is not of the form http://HOST[:PORT].\n" },
                { "http://",                 -EINVAL, "The URL 'http://' is not of the form http://HOST[:PORT].\n" },
                { "http://127.0.0.1:0x50",   -EHOSTUNREACH, "The URL 'http://127.0.0.1:0x50' names no host that is known here.\n" },
                { "http://not..a.host",      -EHOSTUNREACH, "The URL 'http://not..a.host' names no host that is known here.\n" },
                { "http://127.0.0.1/path",   -EINVAL, "The URL 'http://127.0.0.1/path' must have no path.\n" },
        };
        /* clang-format on */

        bench_begin(OPTIONS("--count=1"));
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *said;

                assert_int_equal(set_url(rows[i].url, &said), rows[i].error);
                assert_string_equal(said, rows[i].said);
                if (rows[i].error == 0)
                        assert_string_equal(bench.url, rows[i].url);
                free(said);
        }
        bench_end();
}

TEST(any_server_may_have_a_path) {
        char *said;

        bench_begin(OPTIONS("--raw"));
        assert_ok(set_url("http://127.0.0.1/path?x=1", &said));
        assert_string_equal(said, "");
        assert_string_equal(bench.path, "/path?x=1");
        free(said);
        bench_end();
}

TEST(path_has_the_length_of_a_key_at_most) {
        char url[2 * KEY_PATH_SIZE], *said;
        int prefix = snprintf(url, sizeof(url), "http://127.0.0.1/");

        bench_begin(OPTIONS("--raw"));
        memset(url + prefix, 'a', KEY_PATH_SIZE);
        url[prefix + KEY_PATH_SIZE - 2] = '\0';
        assert_ok(set_url(url, &said));
        free(said);

        url[prefix + KEY_PATH_SIZE - 2] = 'a';
        url[prefix + KEY_PATH_SIZE - 1] = '\0';
        assert_int_equal(set_url(url, &said), -EINVAL);
        assert_string_equal(said, "The URL is too long.\n");
        free(said);
        bench_end();
}

TEST(run_is_as_the_options_say) {
        /* clang-format off */
        static const struct {
                const char *option;
                bool verify, follow, progress;
        } rows[] = {
                { "--count=1",     true,  true,  false },
                { "--verify=no",   false, true,  false },
                { "--follow=no",   true,  false, false },
                { "--progress",    true,  true,  true  },
                { "--raw",         false, true,  false }, /* others' bytes are not known */
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Load load;
                Run run;

                bench_begin(OPTIONS(rows[i].option));
                run = bench_make_run(&bench, &load);
                assert_int_equal(run.verify, rows[i].verify);
                assert_int_equal(run.follow, rows[i].follow);
                assert_int_equal(run.progress, rows[i].progress);
                assert_ptr_equal(run.load, &load);
                assert_string_equal(run.url, server.url);
                assert_null(run.ledger);
                bench_end();
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(url_must_be_one_of_a_server),
                cmocka_unit_test(any_server_may_have_a_path),
                cmocka_unit_test(path_has_the_length_of_a_key_at_most),
                cmocka_unit_test(run_is_as_the_options_say),
        };

        return cmocka_run_group_tests(tests, server_start, server_stop);
}
