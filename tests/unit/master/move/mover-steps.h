/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way of one move, step by step. */

#include "master/move/mover-fixture.h"

/* To the target, from the first volume, or either of two. */
static inline void submit(const char *key, uint64_t version, size_t n_sources) {
        Record record = { .version = version, .size = 10 };
        Plan plan = {
                .add = { TARGET },
                .n_add = 1,
                .drop = { FIRST },
                .n_drop = 1,
                .sources = { FIRST, SECOND },
                .n_sources = n_sources,
        };

        assert_int_equal(mover_submit(mover, key, &record, &plan), 0);
        mover_work(mover, 0);
}

static inline void work(size_t n) {
        while (n_outcomes < n)
                mover_work(mover, clock_monotonic() + USEC_PER_SEC);
}

/* Answers the next pull, of one object. Returns the port of the source. */
static inline char answer_pull(uint64_t version, int error) {
        _cleanup_(buffer_done) Buffer answer = {};
        Reader reader = stand_in_receive(&volume, CALL_PULL);
        WirePullItem item;
        WirePull pull;
        char port;

        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        assert_true(pull.deadline_usec > clock_realtime());
        assert_int_equal(pull.n_items, 1);
        assert_int_equal(wire_get_pull_item(&reader, pull.n_sources, &item), 0);
        assert_int_equal(item.version, version);
        port = pull.sources[item.source].url[strlen("http://127.0.0.1:")];
        wire_put_error(&answer, error);
        stand_in_answer(&volume, &answer);
        return port;
}

static inline void assert_copy(const char *key, uint32_t number) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_int_equal(index_get(the_index, key, &scratch, &record), 0);
        for (size_t i = 0; i < record.n_copies; i++)
                if (record.copies[i] == number)
                        return;
        fail_msg("no copy of '%s' on volume %u", key, number);
}
