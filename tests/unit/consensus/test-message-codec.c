/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "consensus/message-codec.h"

static const Entry entries[] = {
        { 3, ENTRY_REQUESTS, 5, "hello" },
        { 7, ENTRY_NOTHING, 0, NULL },
        { UINT64_MAX, ENTRY_MEMBERS, 3, "abc" },
};

/* One of each type, with all that it may have. */
static const Message messages[] = {
        { "0123456789abcde", MESSAGE_VOTE, 1, 2, 3, .pre = true, .force = true, .index = 4,
          .index_term = 5 },
        { "0123456789abcde", MESSAGE_VOTE_ANSWER, 1, 2, 3, .pre = true, .refused = true },
        { "0123456789abcde", MESSAGE_APPEND, 1, 2, UINT64_MAX, .lease = true, .index = 4,
          .index_term = 3, .commit = 6, .probe = 7, .n = 3, .entries = entries },
        { "0123456789abcde", MESSAGE_APPEND, 1, 2, 3, .index = 4, .index_term = 3 },
        { "0123456789abcde", MESSAGE_APPEND_ANSWER, 1, 2, 3, .refused = true, .index = 4, .hint = 5,
          .probe = 6 },
        { "0123456789abcde", MESSAGE_BEHIND, 1, 2, 3, .lease = true, .index = 4, .index_term = 3,
          .commit = 6, .probe = 7 },
        { "0123456789abcde", MESSAGE_CAMPAIGN, 1, 2, 3 },
};

static void assert_same(const Message *a, const Message *b) {
        assert_memory_equal(a->group, b->group, GROUP_ID_SIZE);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->from, b->from);
        assert_int_equal(a->to, b->to);
        assert_int_equal(a->term, b->term);
        assert_true(a->pre == b->pre && a->force == b->force && a->refused == b->refused &&
                    a->lease == b->lease);
        assert_int_equal(a->index, b->index);
        assert_int_equal(a->index_term, b->index_term);
        assert_int_equal(a->hint, b->hint);
        assert_int_equal(a->commit, b->commit);
        assert_int_equal(a->probe, b->probe);
        assert_int_equal(a->n, b->n);
        for (size_t i = 0; i < a->n; i++) {
                assert_int_equal(a->entries[i].type, b->entries[i].type);
                assert_int_equal(a->entries[i].term, b->entries[i].term);
                assert_int_equal(a->entries[i].size, b->entries[i].size);
                if (a->entries[i].size > 0)
                        assert_memory_equal(
                                        a->entries[i].data, b->entries[i].data, a->entries[i].size);
        }
}

/* Decodes a copy that ends where its memory does. */
static int decode(const void *data, size_t size, const char **why) {
        void *copy = malloc(MAX(size, (size_t) 1));
        Entry *found = NULL;
        Message message;
        int r;

        assert_non_null(copy);
        memcpy(copy, data, size);
        *why = NULL;
        r = message_decode(copy, size, &message, &found, why);
        free(found);
        free(copy);
        return r;
}

static void assert_refused(const Buffer *buffer, int error, const char *sentence) {
        const char *why;

        assert_int_equal(decode(buffer->data, buffer->size, &why), error);
        assert_string_equal(why, sentence);
}

TEST(a_message_comes_back) {
        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                _cleanup_free_ Entry *found = NULL;
                Message message;
                const char *why;

                message_encode(messages + i, &buffer);
                assert_int_equal(buffer_error(&buffer), 0);
                assert_true(buffer.size <=
                            MESSAGE_HEAD_MAX + messages[i].n * (MESSAGE_ENTRY_HEAD_MAX + 5));
                assert_int_equal(
                                message_decode(buffer.data, buffer.size, &message, &found, &why),
                                0);
                assert_same(messages + i, &message);
        }
}

TEST(its_bytes_stay_what_they_are) {
        static const uint8_t expected[] = {
                1,   3,   8,                                                                  /* */
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 0, /* */
                1,   0,   0,   0,   0,   0,   0,   0,   2,   0,   0,   0,   0,   0,   0,   0, /* */
                9,   0,   0,   0,   0,   0,   0,   0,   4,   0,   0,   0,   0,   0,   0,   0, /* */
                3,   0,   0,   0,   0,   0,   0,   0,   6,   0,   0,   0,   0,   0,   0,   0, /* */
                7,   0,   0,   0,   0,   0,   0,   0,   1,   0,   0,   0,                     /* */
                1,   3,   0,   0,   0,   0,   0,   0,   0,   5,   'h', 'e', 'l', 'l', 'o',
        };
        _cleanup_(buffer_done) Buffer buffer = {};
        Message message = messages[2];

        message.term = 9;
        message.n = 1;
        message_encode(&message, &buffer);
        assert_int_equal(buffer.size, sizeof(expected));
        assert_memory_equal(buffer.data, expected, sizeof(expected));
}

TEST(neither_less_nor_more_is_a_message) {
        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                const char *why;

                message_encode(messages + i, &buffer);
                for (size_t size = 0; size < buffer.size; size++) {
                        assert_int_equal(decode(buffer.data, size, &why), -EBADMSG);
                        assert_non_null(why);
                }
                buffer_put_u8(&buffer, 0);
                assert_refused(&buffer, -EBADMSG, "there is something behind its end");
        }
}

TEST(what_is_unknown_is_refused_with_a_sentence) {
        _cleanup_(buffer_done) Buffer buffer = {};
        size_t entry;

        message_encode(messages + 2, &buffer);
        buffer.data[0] = 2;
        assert_refused(&buffer, -EPROTONOSUPPORT,
                       "it is of a format that this release does not know");
        buffer.data[0] = MESSAGE_FORMAT;
        buffer.data[1] = 0;
        assert_refused(&buffer, -EBADMSG, "it is of an unknown type");
        buffer.data[1] = _MESSAGE_TYPE_MAX;
        assert_refused(&buffer, -EBADMSG, "it is of an unknown type");
        buffer.data[1] = MESSAGE_APPEND;
        for (unsigned flags = 0; flags < 256; flags++) {
                const char *why;

                buffer.data[2] = (uint8_t) flags;
                assert_int_equal(
                                decode(buffer.data, buffer.size, &why),
                                flags == 0 || flags == 8 ? 0 : -EBADMSG);
        }
        buffer.data[2] = 0x10;
        assert_refused(&buffer, -EBADMSG, "it has a flag that its type does not have");
        buffer.data[2] = 0;

        entry = 3 + GROUP_ID_SIZE + 7 * 8 + 4;
        buffer.data[entry] = _ENTRY_TYPE_MAX;
        assert_refused(&buffer, -EBADMSG, "an entry of it is of an unknown type");
        buffer.data[entry] = ENTRY_REQUESTS;
        buffer.data[entry + 9] = 0x7f; /* its size */
        assert_refused(&buffer, -EBADMSG, "an entry of it ends too early");
        buffer_set_u32(&buffer, entry - 4, UINT32_MAX);
        assert_refused(&buffer, -EBADMSG, "it has fewer entries than it says");
}

/* What no member can write to its disk. */
TEST(an_entry_has_its_limit) {
        _cleanup_free_ uint8_t *data = calloc(1, ENTRY_SIZE_MAX + 1);
        Entry entry = { 1, ENTRY_REQUESTS, ENTRY_SIZE_MAX, data };
        Message message = messages[2];

        assert_non_null(data);
        message.n = 1;
        message.entries = &entry;
        for (int i = 0; i < 2; i++, entry.size++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                const char *why;

                message_encode(&message, &buffer);
                if (i == 0)
                        assert_int_equal(decode(buffer.data, buffer.size, &why), 0);
                else
                        assert_refused(&buffer, -EBADMSG, "an entry of it is too long");
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_comes_back),
                cmocka_unit_test(its_bytes_stay_what_they_are),
                cmocka_unit_test(neither_less_nor_more_is_a_message),
                cmocka_unit_test(what_is_unknown_is_refused_with_a_sentence),
                cmocka_unit_test(an_entry_has_its_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
