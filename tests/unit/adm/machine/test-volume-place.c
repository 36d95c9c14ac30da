/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <string.h>

#include "adm/machine/volume-place.h"
#include "bus/bus.h"
#include "frame/complaint.h"

/* clang-format off */
static const struct {
        const char *master_listens; /* NULL: there is no master on this machine */
        const char *listen, *master; /* as given */
        uint32_t number;
        int result;
        const char *place_master, *place_listen; /* NULL: the default */
        bool is_here;
} rows[] = {
        { "127.0.0.1:3000", NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "127.0.0.1:3100", NULL, NULL,                    4, 0, "http://127.0.0.1:3100", NULL,            true  },
        { "10.0.0.1:3000",  NULL, NULL,                    4, 0, "http://10.0.0.1:3000",  "10.0.0.1:3004", true  },
        { "0.0.0.0:3000",   NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "[::]:3000",      NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "[fd00::1]:3000", NULL, NULL,                    4, 0, "http://[fd00::1]:3000", "[fd00::1]:3004", true },
        { "odd",            NULL, NULL,                    4, 0, NULL,                    NULL,            true  },
        { "10.0.0.1:3000",  "10.0.0.9:77", NULL,           4, 0, "http://10.0.0.1:3000",  "10.0.0.9:77",   true  },
        { NULL,             NULL, NULL,                    4, 0, NULL,                    NULL,            false },
        { NULL,             "10.0.0.9:77", "http://10.0.0.1:3000", 4, 0, "http://10.0.0.1:3000", "10.0.0.9:77", false },
        { NULL,             NULL, "http://127.0.0.1:3000", 4, 0, "http://127.0.0.1:3000", NULL,            false },
        { NULL,             NULL, "http://127.0.0.1:3000/", 4, 0, "http://127.0.0.1:3000", NULL,           false },
        /* Who is named is not asked. */
        { "10.0.0.1:3000",  "10.0.0.9:77", "http://10.0.0.2:3000", 4, 0, "http://10.0.0.2:3000", "10.0.0.9:77", false },
        { NULL,             "foo", NULL,                   4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             "host:1", NULL,                4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, "10.0.0.1",              4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, "http://",               4, EXIT_USAGE, NULL, NULL, false },
        { NULL,             NULL, NULL,                62536, EXIT_USAGE, NULL, NULL, false },
        { NULL,             "127.0.0.1:9", NULL,       62536, 0, NULL, "127.0.0.1:9", false },
};
/* clang-format on */

static void assert_text(const char *found, const char *expected) {
        if (expected)
                assert_string_equal(found ?: "(none)", expected);
        else
                assert_null(found);
}

TEST(place_follows_from_what_is_there) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        assert_ok(bus_open(stand_in_address(), &bus));
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                Answer answers[ANSWERS_MAX] = { { .member = "Get", .types = "v" } };
                VolumePlace place = {};
                char text[64];

                (void) snprintf(text, sizeof(text), "s %s", rows[i].master_listens ?: "");
                answers[0].text = text;
                if (!rows[i].master_listens)
                        answers[0] = (Answer){};
                stand_in_set(answers);
                assert_int_equal(
                                volume_place_find(
                                                bus, rows[i].number, rows[i].listen, rows[i].master,
                                                &place),
                                rows[i].result);
                assert_text(place.master, rows[i].place_master);
                assert_text(place.listen, rows[i].place_listen);
                assert_int_equal(place.is_here, rows[i].is_here);
                volume_place_done(&place);
        }
}

/* As with --root. */
TEST(nobody_is_asked_without_a_bus) {
        VolumePlace place = {};

        assert_int_equal(volume_place_find(NULL, 4, NULL, NULL, &place), 0);
        assert_true(!place.master && !place.listen && !place.is_here);
        assert_int_equal(volume_place_find(NULL, 4, NULL, "http://10.0.0.1:3000", &place), 0);
        assert_string_equal(place.master, "http://10.0.0.1:3000");
        assert_null(place.listen);
        volume_place_done(&place);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(place_follows_from_what_is_there),
                cmocka_unit_test(nobody_is_asked_without_a_bus),
        };

        return verb_run_tests(tests);
}
