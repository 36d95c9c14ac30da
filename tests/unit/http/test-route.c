/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "http/route.h"

static const HttpRoute routes[] = {
        { "GET", "/-/health", HTTP_PUBLIC },
        { "PUT", "/-/copy/", HTTP_PUBLIC },
        { "HEAD", "/x", HTTP_PUBLIC },
        { "GET", "/x", HTTP_PUBLIC },
        { "GET", "/", HTTP_PUBLIC },
        { "DELETE", "/", HTTP_PUBLIC },
        {},
};

TEST(the_first_entry_that_matches_counts) {
        static const struct {
                const char *method, *path;
                int entry; /* -1 for none */
        } rows[] = {
                { "GET", "/-/health", 0 },
                { "HEAD", "/-/health", 0 },
                { "PUT", "/-/health", -1 },
                { "PUT", "/-/copy/a", 1 },
                { "PUT", "/-/copy", -1 },
                { "HEAD", "/x", 2 },
                { "GET", "/x", 3 },
                { "GET", "/xyz", 4 },
                { "GET", "/x/", 4 },
                { "GET", "/-/healthy", -1 },
                { "GET", "/-/health/", -1 },
                { "GET", "/-/health%00", -1 },
                { "GET", "/-/%68ealth", -1 },
                { "PUT", "/-/copy/", 1 },
                { "PUT", "/-/copyright", -1 },
                { "GET", "/a", 4 },
                { "HEAD", "/a", 4 },
                { "DELETE", "/x", 5 },
                { "POST", "/a", -1 },
                { "GET", "/-/other", -1 },
                { "GET", "/%2d/health", -1 },
                { "GET", "/-%2Fhealth", -1 },
                { "GET", "/%2D%2fa", -1 },
                { "GET", "/-a", 4 },
                { "GET", "", -1 },
                { "get", "/a", -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_ptr_equal(
                                http_find_route(routes, rows[i].method, rows[i].path),
                                rows[i].entry < 0 ? NULL : routes + rows[i].entry);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(the_first_entry_that_matches_counts) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
