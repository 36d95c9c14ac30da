/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

#include "http/parser/target.h"

/* clang-format off */
static const struct {
        const char *method, *target;
        const char *path, *query, *authority; /* no path: it is refused */
} cases[] = {
        { "GET",     "/",                       "/",        "",      NULL        },
        { "GET",     "/a/b",                    "/a/b",     "",      NULL        },
        { "GET",     "/a?",                     "/a",       "",      NULL        },
        { "GET",     "/a?b=c?d",                "/a",       "b=c?d", NULL        },
        { "GET",     "/?",                      "/",        "",      NULL        },
        { "GET",     "//a",                     "//a",      "",      NULL        },
        { "GET",     "/http://a/",              "/http://a/", "",    NULL        },
        { "GET",     "http://a/b?c",            "/b",       "c",     "a"         },
        { "PUT",     "HTTP://a.example:80/b",   "/b",       "",      "a.example:80" },
        { "PUT",     "hTtPs://[::1]:1/b",       "/b",       "",      "[::1]:1"   },
        { "GET",     "http://a",                "/",        "",      "a"         },
        { "GET",     "http://a?b",              "/",        "b",     "a"         },
        { "GET",     "http://a?b/c",            "/",        "b/c",   "a"         },
        { "GET",     "http://a:/",              "/",        "",      "a:"        },
        { "OPTIONS", "*",                       "*",        "",      NULL        },
        { "OPTIONS", "/a",                      "/a",       "",      NULL        },
        { "OPTIONS", "http://a",                "/",        "",      "a"         },
        { "CONNECT", "a:80",                    "a:80",     "",      NULL        },
        { "CONNECT", "[::1]:80",                "[::1]:80", "",      NULL        },
        { "GET",     "*",                       NULL,       NULL,    NULL        },
        { "OPTIONS", "**",                      NULL,       NULL,    NULL        },
        { "GET",     "a",                       NULL,       NULL,    NULL        },
        { "GET",     "a:80",                    NULL,       NULL,    NULL        },
        { "GET",     "?a",                      NULL,       NULL,    NULL        },
        { "GET",     "ftp://a/b",               NULL,       NULL,    NULL        },
        { "GET",     "http:/a",                 NULL,       NULL,    NULL        },
        { "GET",     "http://",                 NULL,       NULL,    NULL        },
        { "GET",     "http:///a",               NULL,       NULL,    NULL        },
        { "GET",     "http://:80/a",            NULL,       NULL,    NULL        },
        { "GET",     "http://user@a/b",         NULL,       NULL,    NULL        },
        { "GET",     "http://a:b/c",            NULL,       NULL,    NULL        },
        { "CONNECT", "a",                       NULL,       NULL,    NULL        },
        { "CONNECT", "a:",                      NULL,       NULL,    NULL        },
        { "CONNECT", ":80",                     NULL,       NULL,    NULL        },
        { "CONNECT", "/a",                      NULL,       NULL,    NULL        },
        { "CONNECT", "http://a/",               NULL,       NULL,    NULL        },
        { "CONNECT", "*",                       NULL,       NULL,    NULL        },
};
/* clang-format on */

TEST(each_method_has_its_forms_of_target) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                HttpTarget target;
                char copy[64];
                int r;

                (void) snprintf(copy, sizeof(copy), "%s", cases[i].target);
                r = http_target_parse(copy, cases[i].method, &target);
                if (!cases[i].path) {
                        assert_int_equal(r, -EINVAL);
                        continue;
                }

                assert_int_equal(r, 0);
                assert_string_equal(target.path, cases[i].path);
                assert_string_equal(target.query, cases[i].query);
                if (cases[i].authority)
                        assert_string_equal(target.authority, cases[i].authority);
                else
                        assert_null(target.authority);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_method_has_its_forms_of_target),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
