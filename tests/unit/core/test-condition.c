/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/condition.h"

#define TAG_A "\"x3-00000000000000000000000000000000\""
#define TAG_B "\"x3-000102030405060708090a0b0c0d0e0f\""

static const Checksum a;
static const Checksum b = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };

TEST(conditions_hold_or_not) {
        /* clang-format off */
        static const struct {
                const char *if_match, *if_none_match;
                int on_none, on_a, on_b;             /* condition_check() */
                int read_none, read_a, read_b;       /* condition_check_read() */
        } cases[] = {
                { NULL, NULL,                     0, 0, 0,                                     0, 0, 0 },
                { "*", NULL,                      -ECANCELED, 0, 0,                            -ECANCELED, 0, 0 },
                { " * ", NULL,                    -ECANCELED, 0, 0,                            -ECANCELED, 0, 0 },
                { TAG_A, NULL,                    -ECANCELED, 0, -ECANCELED,                   -ECANCELED, 0, -ECANCELED },
                { TAG_A "," TAG_B, NULL,          -ECANCELED, 0, 0,                            -ECANCELED, 0, 0 },
                { ", \t" TAG_B " ,, ", NULL,      -ECANCELED, -ECANCELED, 0,                   -ECANCELED, -ECANCELED, 0 },
                { "\"other\", " TAG_B, NULL,      -ECANCELED, -ECANCELED, 0,                   -ECANCELED, -ECANCELED, 0 },
                { "\"\", \"x,y\"", NULL,          -ECANCELED, -ECANCELED, -ECANCELED,          -ECANCELED, -ECANCELED, -ECANCELED },
                { "W/" TAG_A, NULL,               -ECANCELED, -ECANCELED, -ECANCELED,          -ECANCELED, -ECANCELED, -ECANCELED },
                { "", NULL,                       -ECANCELED, -ECANCELED, -ECANCELED,          -ECANCELED, -ECANCELED, -ECANCELED },
                { NULL, "*",                      0, -ECANCELED, -ECANCELED,                   0, 1, 1 },
                { NULL, TAG_A,                    0, -ECANCELED, 0,                            0, 1, 0 },
                { NULL, "W/" TAG_A,               0, -ECANCELED, 0,                            0, 1, 0 },
                { NULL, "\"\xc3\xa9\"," TAG_B,    0, 0, -ECANCELED,                            0, 0, 1 },
                { NULL, "",                       0, 0, 0,                                     0, 0, 0 },
                { TAG_A, TAG_A,                   -ECANCELED, -ECANCELED, -ECANCELED,          -ECANCELED, 1, -ECANCELED },
                { "*", TAG_B,                     -ECANCELED, 0, -ECANCELED,                   -ECANCELED, 0, 1 },
                { NULL, TAG_B ", *",              0, -ECANCELED, -ECANCELED,                   0, 1, 1 },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Condition condition;

                assert_ok(condition_parse(cases[i].if_match, cases[i].if_none_match, &condition));
                assert_int_equal(condition_is_empty(&condition), i == 0);
                assert_int_equal(condition_check(&condition, NULL, 0), cases[i].on_none);
                assert_int_equal(condition_check(&condition, &a, 0), cases[i].on_a);
                assert_int_equal(condition_check(&condition, &b, 0), cases[i].on_b);
                assert_int_equal(condition_check_read(&condition, NULL, 0), cases[i].read_none);
                assert_int_equal(condition_check_read(&condition, &a, 0), cases[i].read_a);
                assert_int_equal(condition_check_read(&condition, &b, 0), cases[i].read_b);
        }
}

TEST(create_only_fails_on_its_own_terms) {
        Condition condition = { .create_only = true };

        assert_false(condition_is_empty(&condition));
        assert_int_equal(condition_check(&condition, NULL, 0), 0);
        assert_int_equal(condition_check(&condition, &a, 0), -EEXIST);

        condition.match.present = true;
        assert_int_equal(condition_check(&condition, NULL, 0), -ECANCELED);
}

TEST(dates_count_where_no_etags_do) {
        enum { DAY = 1000 };
        const uint64_t before = (DAY - 1) * USEC_PER_SEC, within = DAY * USEC_PER_SEC + 500000,
                       after = (DAY + 1) * USEC_PER_SEC;
        Condition condition = { .has_unmodified_since = true, .unmodified_since = DAY };

        assert_false(condition_is_empty(&condition));
        assert_int_equal(condition_check(&condition, &a, before), 0);
        assert_int_equal(condition_check(&condition, &a, within), 0);
        assert_int_equal(condition_check(&condition, &a, after), -ECANCELED);
        assert_int_equal(condition_check_read(&condition, &a, after), -ECANCELED);
        assert_int_equal(condition_check(&condition, NULL, 0), 0);
        condition.match = (ConditionList){ .present = true, .any = true };
        assert_int_equal(condition_check(&condition, &a, after), 0);

        condition = (Condition){ .has_modified_since = true, .modified_since = DAY };
        assert_int_equal(condition_check_read(&condition, &a, before), 1);
        assert_int_equal(condition_check_read(&condition, &a, within), 1);
        assert_int_equal(condition_check_read(&condition, &a, after), 0);
        assert_int_equal(condition_check(&condition, &a, before), 0);
        condition.none_match = (ConditionList){ .present = true };
        assert_int_equal(condition_check_read(&condition, &a, before), 0);
}

TEST(malformed_lists_are_refused) {
        static const char *const lists[] = {
                "x",       "\"",        "\"a",      "a\"",    "\"a\" \"b\"", "\"a\"\"b\"",
                "\"a b\"", "\"a\x7f\"", "\"a\tb\"", "W\"a\"", "w/\"a\"",     "W/ \"a\"",
                "W/",      "**",        "* \"a\"",  "\"a\";",
        };
        Condition condition;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                assert_int_equal(condition_parse(lists[i], NULL, &condition), -EINVAL);
                assert_int_equal(condition_parse(NULL, lists[i], &condition), -EINVAL);
        }
}

TEST(number_of_tags_is_limited) {
        static const char list[] = TAG_A "," TAG_A "," TAG_A "," TAG_A "," TAG_A "," TAG_A "," TAG_A
                                         "," TAG_B;
        static const char longer[] = TAG_A "," TAG_A "," TAG_A "," TAG_A "," TAG_A "," TAG_A
                                           "," TAG_A "," TAG_A "," TAG_B;
        Condition condition;

        assert_ok(condition_parse(list, NULL, &condition));
        assert_int_equal(condition.match.n_etags, CONDITION_ETAGS_MAX);
        assert_int_equal(condition_check(&condition, &b, 0), 0);
        assert_int_equal(condition_parse(longer, NULL, &condition), -EINVAL);
        assert_int_equal(condition_parse(NULL, longer, &condition), -EINVAL);
}

static void assert_comes_back(const Condition *condition) {
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        Condition decoded;
        Reader reader;

        condition_encode(condition, &first);
        assert_ok(buffer_error(&first));

        reader = READER(first.data, first.size);
        assert_ok(condition_decode(&reader, &decoded));
        assert_ok(reader_end(&reader));

        condition_encode(&decoded, &second);
        assert_int_equal(second.size, first.size);
        assert_memory_equal(second.data, first.data, first.size);
        assert_int_equal(condition_is_empty(&decoded), condition_is_empty(condition));
        assert_int_equal(condition_check(&decoded, NULL, 0), condition_check(condition, NULL, 0));
        assert_int_equal(condition_check(&decoded, &a, 0), condition_check(condition, &a, 0));
        assert_int_equal(condition_check(&decoded, &b, 0), condition_check(condition, &b, 0));

        for (size_t size = 0; size < first.size; size++) {
                reader = READER(first.data, size);
                assert_int_equal(condition_decode(&reader, &decoded), -EBADMSG);
        }
}

TEST(condition_comes_back) {
        Condition condition;

        assert_ok(condition_parse(NULL, NULL, &condition));
        assert_comes_back(&condition);
        condition.create_only = true;
        assert_comes_back(&condition);
        assert_ok(condition_parse(TAG_A "," TAG_B, "*", &condition));
        assert_comes_back(&condition);
        assert_ok(condition_parse("*", TAG_B, &condition));
        assert_comes_back(&condition);
        assert_ok(condition_parse("\"other\"", "", &condition));
        assert_comes_back(&condition);
}

TEST(unknown_encodings_are_refused) {
        static const uint8_t flags[] = { 0x20, 0, 0 };
        static const uint8_t count[1 + 1 + (CONDITION_ETAGS_MAX + 1) * sizeof(Checksum) + 1] = {
                1, CONDITION_ETAGS_MAX + 1
        };
        Condition condition;
        Reader reader;

        reader = READER(flags, sizeof(flags));
        assert_int_equal(condition_decode(&reader, &condition), -EBADMSG);
        reader = READER(count, sizeof(count));
        assert_int_equal(condition_decode(&reader, &condition), -EBADMSG);
}

/* Of what others send, each byte may be anything. What is understood says the same again. */
TEST(what_is_decoded_is_what_would_be_encoded) {
        uint64_t x = 88172645463325252U;
        unsigned n_understood = 0;

        for (unsigned i = 0; i < 100000; i++) {
                _cleanup_(buffer_done) Buffer again = {};
                Condition condition;
                uint8_t data[20];
                Reader reader;

                for (size_t k = 0; k < sizeof(data); k++) {
                        x ^= x << 13;
                        x ^= x >> 7;
                        x ^= x << 17;
                        data[k] = (uint8_t) (x >> 56) & (k == 0 ? 0x3f : 0x01);
                }
                reader = READER(data, sizeof(data));
                if (condition_decode(&reader, &condition) < 0)
                        continue;
                n_understood++;
                condition_encode(&condition, &again);
                assert_int_equal(again.size, sizeof(data) - reader.size);
                assert_memory_equal(again.data, data, again.size);
        }
        assert_true(n_understood > 1000);
}

TEST(dates_are_encoded_for_writes_alone) {
        Condition condition = { .has_unmodified_since = true,
                                .unmodified_since = UINT64_MAX,
                                .has_modified_since = true,
                                .modified_since = 5 },
                  decoded;
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;

        condition_encode(&condition, &buffer);
        reader = READER(buffer.data, buffer.size);
        assert_ok(condition_decode(&reader, &decoded));
        assert_ok(reader_end(&reader));
        assert_true(decoded.has_unmodified_since);
        assert_true(decoded.unmodified_since == UINT64_MAX);
        assert_false(decoded.has_modified_since);
}

/* One read of a list takes what belongs to it and leaves the rest to others. */
TEST(what_follows_a_condition_stays) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Condition condition, decoded;
        Reader reader;

        assert_ok(condition_parse(TAG_A "," TAG_B, NULL, &condition));
        condition_encode(&condition, &buffer);
        buffer_put_u32(&buffer, 0xabcdef01);
        reader = READER(buffer.data, buffer.size);
        assert_ok(condition_decode(&reader, &decoded));
        assert_true(reader_get_u32(&reader) == 0xabcdef01);
        assert_ok(reader_end(&reader));
}

/* A client may know many values of other servers, or none. */
TEST(tags_of_others_do_not_count_towards_the_limit) {
        char list[64 * 8 + sizeof(TAG_B)] = "";
        Condition condition;

        for (unsigned i = 0; i < 64; i++)
                strcat(list, "\"etag\",");
        strcat(list, TAG_B);
        assert_ok(condition_parse(list, NULL, &condition));
        assert_int_equal(condition.match.n_etags, 1);
        assert_int_equal(condition_check(&condition, &b, 0), 0);
        assert_int_equal(condition_check(&condition, &a, 0), -ECANCELED);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(conditions_hold_or_not),
                cmocka_unit_test(create_only_fails_on_its_own_terms),
                cmocka_unit_test(dates_count_where_no_etags_do),
                cmocka_unit_test(malformed_lists_are_refused),
                cmocka_unit_test(number_of_tags_is_limited),
                cmocka_unit_test(condition_comes_back),
                cmocka_unit_test(unknown_encodings_are_refused),
                cmocka_unit_test(what_is_decoded_is_what_would_be_encoded),
                cmocka_unit_test(dates_are_encoded_for_writes_alone),
                cmocka_unit_test(what_follows_a_condition_stays),
                cmocka_unit_test(tags_of_others_do_not_count_towards_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
