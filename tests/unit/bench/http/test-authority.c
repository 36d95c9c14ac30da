/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "bench/http/authority.h"
#include "bench/http/link.h"

static Authorities authorities;

static int setup(void **state) {
        authorities_init(&authorities);
        return 0;
}

static int teardown(void **state) {
        authorities_done(&authorities);
        return 0;
}

/* clang-format off */
static const struct {
        const char *url, *name, *path;
        int port;
        int result;
} rows[] = {
        { "http://127.0.0.1:3000",       "127.0.0.1:3000", "",       3000, 0 },
        { "http://127.0.0.1:3000/a/b?c", "127.0.0.1:3000", "/a/b?c", 3000, 0 },
        { "http://127.0.0.1?x",          "127.0.0.1",      "?x",     80,   0 },
        { "http://[::1]:3000/",          "[::1]:3000",     "/",      3000, 0 },
        { "http://[::1]",                "[::1]",          "",       80,   0 },
        { "https://127.0.0.1",           NULL, NULL, 0, -EINVAL },
        { "127.0.0.1:3000",              NULL, NULL, 0, -EINVAL },
        { "http://",                     NULL, NULL, 0, -EINVAL },
        { "http:///key",                 NULL, NULL, 0, -EINVAL },
        { "http://:3000",                NULL, NULL, 0, -EINVAL },
        { "http://127.0.0.1:",           NULL, NULL, 0, -EINVAL },
        { "http://me@127.0.0.1",         NULL, NULL, 0, -EINVAL },
        { "http://[::1",                 NULL, NULL, 0, -EINVAL },
        { "http://[::1]x",               NULL, NULL, 0, -EINVAL },
        { "",                            NULL, NULL, 0, -EINVAL },
        { "http://127.0.0.1:no-such-port", NULL, NULL, 0, -EHOSTUNREACH },
};
/* clang-format on */

TEST(url_has_an_authority_and_a_path) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                const Authority *authority;
                const char *path;

                assert_int_equal(
                                authorities_get(&authorities, rows[i].url, &authority, &path),
                                rows[i].result);
                if (rows[i].result < 0)
                        continue;
                assert_string_equal(authority->name, rows[i].name);
                assert_string_equal(path, rows[i].path);
                /* The port is at the same place in both families. */
                assert_int_equal(
                                ntohs(((const struct sockaddr_in *) &authority->address)->sin_port),
                                rows[i].port);
        }
}

TEST(authority_is_looked_up_once) {
        const Authority *first, *second, *other;
        const char *path;

        assert_ok(authorities_get(&authorities, "http://127.0.0.1:1/a", &first, &path));
        assert_ok(authorities_get(&authorities, "http://127.0.0.1:1/b", &second, &path));
        assert_ok(authorities_get(&authorities, "http://127.0.0.1:12/b", &other, &path));
        assert_ptr_equal(first, second);
        assert_ptr_not_equal(first, other);
        assert_int_equal(authorities.n, 2);
}

TEST(there_is_a_limit) {
        const Authority *authority;
        const char *path;
        char url[64];

        for (unsigned i = 1; i <= AUTHORITIES_MAX; i++) {
                (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", i);
                assert_ok(authorities_get(&authorities, url, &authority, &path));
        }
        assert_int_equal(
                        authorities_get(&authorities, "http://127.0.0.1:60000", &authority, &path),
                        -ENFILE);
        assert_ok(authorities_get(&authorities, "http://127.0.0.1:7", &authority, &path));
}

TEST(failure_leaves_nothing_behind) {
        const Authority *authority;
        const char *path;

        assert_int_equal(authorities_get(&authorities, "http://[::1", &authority, &path), -EINVAL);
        assert_int_equal(authorities.n, 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(url_has_an_authority_and_a_path),
                RUN(authority_is_looked_up_once),
                RUN(there_is_a_limit),
                RUN(failure_leaves_nothing_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
