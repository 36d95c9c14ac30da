/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "master/health/clocks.h"

/* What is noted when volumes 1 to N are SKEWS seconds ahead; those of SILENT do not report. */
typedef struct Case {
        const char *name;
        size_t n;
        int skews[3];
        unsigned silent;
        const char *expected; /* volume and detail of each trouble, 0 for the master */
} Case;

static void look(const Case *one, char ret[static 256]) {
        _cleanup_(troubles_freep) Troubles *troubles = NULL;
        _cleanup_free_ Trouble *list = NULL;
        VolumeStatus volumes[3] = {};
        size_t n;

        for (size_t i = 0; i < one->n; i++) {
                volumes[i].number = (uint32_t) i + 1;
                volumes[i].reports = !(one->silent & (1U << i));
                volumes[i].skew_usec = one->skews[i] * (int64_t) USEC_PER_SEC;
        }
        assert_ok(troubles_new(&troubles));
        clocks_look(troubles, volumes, one->n);
        assert_ok(troubles_list(troubles, &list, &n));
        *ret = '\0';
        for (size_t i = 0; i < n; i++)
                (void) snprintf(ret + strlen(ret), 256 - strlen(ret), "%u:%s;", list[i].volume,
                                list[i].detail);
}

TEST(whose_clock_is_wrong) {
        static const Case cases[] = {
                { "all agree", 3, { 0, 1, -1 }, 0, "" },
                { "below what is told", 1, { 2 }, 0, "" },
                { "one is ahead", 3, { 0, 3, 0 }, 0, "2:3 s ahead of;" },
                { "one is behind", 3, { -10, 0, 0 }, 0, "1:10 s behind;" },
                { "the master is behind", 3, { 10, 11, 10 }, 0, "0:10 s behind;" },
                { "the master is ahead", 2, { -10, -10 }, 0, "0:10 s ahead of;" },
                { "one alone proves nothing about the master", 1, { 10 }, 0, "1:10 s ahead of;" },
                { "who does not report does not count", 2, { 10, 10 }, 2, "1:10 s ahead of;" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char found[256];

                look(cases + i, found);
                if (strcmp(found, cases[i].expected) != 0)
                        fail_msg("%s: '%s'", cases[i].name, found);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whose_clock_is_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
