/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define LOCATION \
        { .member = "Locate", .types = "a{sv}", \
          .text = "6 version t 7 object t 9 size t 2048 modified t 1000000 content-type s text/plain " \
                  "copies a(ubs) 2 1 1 http://a:1 2 0 http://b:2" }

TEST(locate_shows_value_and_copies) {
        static const VerbCase cases[] = {
                { "locate a/b", { LOCATION }, 0,
                  "     Key: a/b\n    Size: 2.0K (2048 bytes)\n    Type: text/plain\nModified: 1970-01-01 00:00:01\n"
                  " Version: 7\n  Object: 9\n    ETag: -\n\n"
                  "VOLUME  UP    URL\n     1  up    http://a:1\n     2  down  http://b:2\n", "", "Locate Master1 s a/b\n" },
                { "locate 'a b%'", { LOCATION }, 0, NULL, "", "Locate Master1 s a%20b%25\n" },
                { "locate k --json=short", { LOCATION }, 0,
                  "{\"key\":\"k\",\"size\":2048,*\"copies\":[{\"number\":1,\"up\":true,\"url\":\"http://a:1\"},{\"number\":2,\"up\":false,*}]}\n",
                  "", NULL },
                { "locate ''", {}, 2, "", "'' is not a key: keys have 1 to * bytes.\n", "" },
                { "locate k", { { .member = "Locate", .error = "org.dkv.Error.NotFound", .text = "There is no such key." } }, 1, "",
                  "Failed to locate 'k': There is no such key.\n", NULL },
                { "locate k", { { .member = "Locate", .types = "a{sv}", .text = "1 size s big" } }, 1, "",
                  "Failed to read the master's reply: *\n", NULL },
                { "locate k", { { .member = "Locate", .types = "a{sv}", .text = "1 copies s none" } }, 1, "",
                  "Failed to read the master's reply: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(locate_shows_value_and_copies),
        };

        return verb_run_tests(tests);
}
