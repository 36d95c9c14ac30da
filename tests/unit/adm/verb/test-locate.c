/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <string.h>

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

/* clang-format off */
#define AT(key_url) \
        { .member = "Locate", .types = "a{sv}", \
          .text = "2 size t 1 copies a(ubs) 3 65535 1 " key_url " 2 0 http://b 3 1 ''" }

TEST(copies_are_listed_as_far_as_they_are_known) {
        static const VerbCase cases[] = {
                { "locate k", { AT("http://a:1") }, 0,
                  "     Key: k\n    Size: 1B (1 bytes)\n    Type: -\nModified: 1970-01-01 00:00:00\n Version: 0\n  Object: 0\n    ETag: -\n\n"
                  "VOLUME  UP    URL\n 65535  up    http://a:1\n     2  down  http://b\n     3  up    -\n", "", NULL },
                { "locate k", { { .member = "Locate", .types = "a{sv}", .text = "1 size t 5" } }, 0, "*\n\nVOLUME  UP  URL\n", "", NULL },
                { "locate k --json=short", { { .member = "Locate", .types = "a{sv}", .text = "1 size t 5" } }, 0, "{\"key\":\"k\",\"size\":5,*\"copies\":[]}\n", "", NULL },
                { "locate k", { { .member = "Locate", .types = "a{sv}", .text = "2 novelty as 1 x etag s '\"1-2\"'" } }, 0, "*ETag: \"1-2\"\n*", "", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(key_is_sent_as_a_path_has_it) {
        static const VerbCase cases[] = {
                { "locate a/b/c", { AT("u") }, 0, NULL, "", "Locate Master1 s a/b/c\n" },
                { "locate 'ä ?#'", { AT("u") }, 0, NULL, "", "Locate Master1 s %C3%A4%20%3F%23\n" },
                { "locate -- -k", { AT("u") }, 0, NULL, "", "Locate Master1 s -k\n" },
                { "locate -k", {}, 2, "", "Unknown option '-k'; see --help.\n", "" },
                { "locate", {}, 2, "", "Too few arguments for 'locate'. Usage: locate KEY\n", "" },
                { "locate a b", {}, 2, "", "Too many arguments for 'locate'. Usage: locate KEY\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(key_has_a_longest_length) {
        char key[1025 + 1], line[1100], *out, *err;

        memset(key, 'k', 1025);
        key[1025] = '\0';
        stand_in_set((const Answer[ANSWERS_MAX]){ AT("u") });
        (void) snprintf(line, sizeof(line), "locate %s", key + 1);
        assert_int_equal(verb_run(line, NULL, &out, &err), 0);
        free(out);
        free(err);

        (void) snprintf(line, sizeof(line), "locate %s", key);
        assert_int_equal(verb_run(line, NULL, &out, &err), 2);
        assert_matches(err, "'kkk*' is not a key: keys have 1 to 1024 bytes.\n");
        free(out);
        free(err);
}

TEST(refusals_name_the_key) {
        static const VerbCase cases[] = {
                { "locate 'a\033b'", { { .member = "Locate", .error = "org.dkv.Error.NotFound", .text = "No." } }, 1, "", "Failed to locate 'a?b': No.\n", NULL },
                { "locate k", { { .member = "Locate", .error = "org.dkv.Error.NotLeading", .text = "This master does not lead." } }, 1, "",
                  "Failed to locate 'k': This master does not lead.\n", NULL },
                { "locate k", { { .member = "Locate", .types = "a{sv}", .text = "1 copies a(us) 1 1 u" } }, 1, "", "Failed to read the master's reply: *\n", NULL },
                { "locate k", { { .member = "Locate", .types = "s", .text = "x" } }, 1, "", "Failed to read the master's reply: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(long_addresses_give_way_on_a_terminal) {
        static const TerminalCase cases[] = {
                { "locate k", { AT("http://a-host-with-a-long-name.example.org:3001") }, { .columns = 40 }, 0,
                  "*\nVOLUME  UP    URL\n 65535  up    http://a-host-with-a-long~\n*", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(locate_shows_value_and_copies),
                cmocka_unit_test(copies_are_listed_as_far_as_they_are_known),
                cmocka_unit_test(key_is_sent_as_a_path_has_it),
                cmocka_unit_test(key_has_a_longest_length),
                cmocka_unit_test(refusals_name_the_key),
                cmocka_unit_test(long_addresses_give_way_on_a_terminal),
        };

        return verb_run_tests(tests);
}
