/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/entries/entries-fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "consensus/consensus.h"
#include "small-disk.h"
#include "store/entries/entry-record.h"

#define READ_UNTIL 500

static void compact(Fixture *fixture, uint64_t index) {
        fixture->model.compacted = index;
        entry_log_compact(fixture->log, index);
}

TEST(what_was_written_comes_back) {
        Fixture *fixture = *state;

        assert_same(fixture);
        write_entries(fixture, 1, 5, 1);
        write_entries(fixture, 6, 6, 3);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
        write_entries(fixture, 7, 30, 3);
        reopen(fixture);
        assert_same(fixture);
}

TEST(what_was_cut_off_does_not) {
        Fixture *fixture = *state;

        write_entries(fixture, 1, 20, 1);
        write_entries(fixture, 11, 12, 2);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
        write_entries(fixture, 12, 12, 5);
        write_entries(fixture, 12, 25, 6);
        reopen(fixture);
        assert_same(fixture);
}

/* One flush, and later ones may cut off what earlier ones of the same call have appended. */
TEST(several_writes_are_carried_out_in_their_order) {
        Fixture *fixture = *state, others[2] = {};
        ConsensusWrite writes[4] = {
                make_write(fixture, 1, 9, 1),
                make_write(others, 4, 6, 2),
                { .number = 3, .reset = true, .first = 101, .last = 100, .base_term = 3 },
                make_write(others + 1, 101, 103, 4),
        };

        see_term(fixture, 4);
        assert_int_equal(entry_log_write(fixture->log, writes, 2), 0);
        for (size_t i = 0; i < 2; i++)
                model_write(&fixture->model, writes + i);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);

        writes[0] = make_write(fixture, 5, 9, 3);
        writes[1].first = writes[1].last = 7;
        writes[1].entries = others[0].entries;
        others[0].entries[0] = (Entry){ 4, type_of(7, 4), make_content(7, 4, others[0].contents[0]),
                                        others[0].contents[0] };
        assert_int_equal(entry_log_write(fixture->log, writes, 4), 0);
        for (size_t i = 0; i < 4; i++)
                model_write(&fixture->model, writes + i);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
}

TEST(a_log_begins_again_behind_a_database) {
        Fixture *fixture = *state;
        ConsensusWrite reset = {
                .number = 1, .reset = true, .first = 501, .last = 500, .base_term = 7
        };
        uint64_t term;

        write_entries(fixture, 1, 10, 2);
        see_term(fixture, 7);
        assert_int_equal(entry_log_write(fixture->log, &reset, 1), 0);
        model_write(&fixture->model, &reset);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
        assert_int_equal(entry_log_base(fixture->log, &term), 500);
        assert_int_equal(term, 7);
        write_entries(fixture, 501, 510, 8);
        reopen(fixture);
        assert_same(fixture);
}

TEST(term_and_vote_are_kept) {
        Fixture *fixture = *state;
        ConsensusDisk disk;

        assert_int_equal(entry_log_load(fixture->log, &disk), 0);
        assert_int_equal(disk.term, 0);
        assert_int_equal(entry_log_vote(fixture->log, 7, 3), 0);
        assert_int_equal(entry_log_vote(fixture->log, 8, 0), 0);
        assert_int_equal(entry_log_load(fixture->log, &disk), 0);
        assert_int_equal(disk.term, 8);
        assert_int_equal(entry_log_vote(fixture->log, 8, 2), 0);
        reopen(fixture);
        assert_int_equal(entry_log_load(fixture->log, &disk), 0);
        assert_int_equal(disk.term, 8);
        assert_int_equal(disk.vote, 2);
}

/* While the disk has no room for a vote, it may have some for entries. */
TEST(nothing_of_a_term_that_is_not_stored_is_written) {
        Fixture *fixture = *state;
        ConsensusWrite write, reset = {
                .number = 1, .reset = true, .first = 11, .last = 10, .base_term = 6
        };

        write_entries(fixture, 1, 3, 5);
        write = make_write(fixture, 4, 5, 5);
        fixture->entries[1].term = 6;
        assert_int_equal(entry_log_write(fixture->log, &write, 1), -EINVAL);
        assert_int_equal(entry_log_write(fixture->log, &reset, 1), -EINVAL);
        assert_same(fixture);
        write_entries(fixture, 4, 5, 6);
        assert_same(fixture);
}

TEST(the_core_is_told_what_is_there) {
        Fixture *fixture = *state;
        uint8_t content[CONTENT_MAX];
        ConsensusDisk disk;

        write_entries(fixture, 1, 20, 1);
        write_entries(fixture, 15, 30, 2);
        reopen(fixture);
        assert_int_equal(entry_log_load(fixture->log, &disk), 0);
        assert_int_equal(disk.n, 30);
        assert_int_equal(disk.base_index, 0);
        for (uint64_t index = 1; index <= 30; index++) {
                const Entry *entry = disk.entries + index - 1;

                assert_int_equal(entry->term, fixture->model.terms[index]);
                assert_int_equal(entry->type, type_of(index, entry->term));
                assert_int_equal(entry->size, make_content(index, entry->term, content));
                if (entry->type == ENTRY_MEMBERS)
                        assert_memory_equal(entry->data, content, entry->size);
        }
}

static size_t count_files(const Fixture *fixture) {
        size_t n = 0;

        for (unsigned number = 1; number < 200; number++) {
                char name[16];

                (void) snprintf(name, sizeof(name), "%010u", number);
                n += access(path_of(fixture, name), F_OK) >= 0;
        }
        return n;
}

/* A group of one, which is started again and again. */
TEST(a_core_goes_on_where_it_was) {
        static const ConsensusOptions options = { .self = 1,
                                                  .election_usec = 300,
                                                  .heartbeat_usec = 100,
                                                  .batch_size = KIB,
                                                  .window_size = KIB,
                                                  .backlog_size = KIB };
        ConsensusApplied applied = { .members = { 1, { { 1, MEMBER_VOTER, "" } } } };
        Fixture *fixture = *state;
        uint64_t last = 0, term;

        for (uint64_t start = 1; start <= 5; start++) {
                _cleanup_(consensus_freep) Consensus *core = NULL;
                Entry entry = { .size = 5, .data = "hello" };
                ConsensusUpdate update;
                ConsensusDisk disk;

                assert_int_equal(entry_log_load(fixture->log, &disk), 0);
                disk.applied = &applied;
                assert_int_equal(consensus_new(&options, 1, &disk, &core, &update), 0);
                while (update.role != CONSENSUS_LEADER || update.commit < last + 2) {
                        ConsensusWrite write = update.write;

                        if (update.vote_changed)
                                assert_int_equal(
                                                entry_log_vote(fixture->log, update.term,
                                                               update.vote),
                                                0);
                        if (write.number > 0) {
                                assert_int_equal(entry_log_write(fixture->log, &write, 1), 0);
                                assert_int_equal(consensus_written(core, 2, &write, &update), 0);
                        } else if (update.role == CONSENSUS_LEADER)
                                assert_int_equal(consensus_propose(core, 2, &entry, 1, &update), 0);
                        else
                                assert_int_equal(consensus_tick(core, 1000, &update), 0);
                }
                assert_int_equal(update.term, start);
                last = entry_log_last(fixture->log, &term);
                assert_int_equal(last, 2 * start);
                assert_int_equal(term, start);
                reopen(fixture);
        }
}

TEST(whole_segments_are_given_back) {
        Fixture *fixture = *state;
        uint64_t term, base;

        for (uint64_t index = 1; index < 200; index++)
                write_entries(fixture, index, index, index / 10 + 1);
        assert_true(count_files(fixture) > 8);

        compact(fixture, 0);
        assert_int_equal(entry_log_base(fixture->log, &term), 0);
        compact(fixture, 100);
        base = entry_log_base(fixture->log, &term);
        assert_in_range(base, 100 - 40, 100);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
        assert_int_equal(entry_log_base(fixture->log, &term), base);

        compact(fixture, 199);
        reopen(fixture);
        assert_same(fixture);
        assert_int_equal(count_files(fixture), 1);
        write_entries(fixture, 200, 200, 30);
        compact(fixture, 199);
        assert_int_equal(count_files(fixture), 1);
        assert_int_equal(entry_log_base(fixture->log, &term), 199);
        reopen(fixture);
        assert_same(fixture);
        assert_int_equal(entry_log_base(fixture->log, &term), 199);
}

/* The first segment that is left cuts off what was in those that are gone. */
TEST(what_is_worth_keeping_is_counted_in_bytes) {
        Fixture *fixture = *state;
        uint64_t before = 0;

        for (uint64_t index = 1; index <= 200; index++)
                write_entries(fixture, index, index, 1);
        assert_int_equal(entry_log_before(fixture->log, 100, 0), 100);
        assert_int_equal(entry_log_before(fixture->log, 300, 0), 200);
        assert_int_equal(entry_log_before(fixture->log, 100, GIB), 0);
        for (uint64_t size = 10 * KIB; size > 0; size /= 2) {
                uint64_t after = entry_log_before(fixture->log, 100, size);

                assert_true(after >= before && after <= 100);
                before = after;
        }
        assert_true(entry_log_before(fixture->log, 100, 10 * KIB) < 100);
        compact(fixture, 100);
        assert_true(entry_log_before(fixture->log, 200, GIB) > 0);
        assert_true(entry_log_before(fixture->log, 200, GIB) <= 100);
}

TEST(what_is_cut_off_may_lie_in_segments_that_are_gone) {
        Fixture *fixture = *state;
        uint64_t term;

        for (uint64_t index = 1; index <= 100; index++)
                write_entries(fixture, index, index, 1);
        reopen(fixture); /* so that a segment begins here */
        write_entries(fixture, 91, 95, 2);
        compact(fixture, 93);
        assert_int_equal(entry_log_base(fixture->log, &term), 90);
        assert_same(fixture);
        reopen(fixture);
        assert_int_equal(entry_log_base(fixture->log, &term), 90);
        assert_same(fixture);
}

/* The last segment that has a record stays, also if a later one is begun. */
TEST(all_may_be_compacted) {
        Fixture *fixture = *state;
        uint64_t term;

        write_entries(fixture, 1, 3, 2);
        reopen(fixture);
        write_entries(fixture, 4, 6, 2);
        reopen(fixture);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 1, 1), 0);
        assert_int_equal(count_files(fixture), 3);
        compact(fixture, 6);
        assert_int_equal(count_files(fixture), 2);
        reopen(fixture);
        assert_same(fixture);
        assert_int_equal(entry_log_last(fixture->log, &term), 6);
        assert_int_equal(term, 2);
}

/* Who compacts too early loses the term of an entry that nobody asks for, and no more. */
TEST(a_cut_may_reach_back_before_what_is_compacted) {
        Fixture *fixture = *state;
        uint64_t term;

        write_entries(fixture, 1, 20, 1);
        reopen(fixture);
        write_entries(fixture, 21, 21, 1);
        compact(fixture, 21);
        assert_int_equal(entry_log_base(fixture->log, &term), 20);
        write_entries(fixture, 15, 25, 2);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(entry_log_base(fixture->log, &term), 14);
                assert_int_equal(entry_log_last(fixture->log, &term), 25);
                fixture->model.terms[14] = 0;
                assert_same(fixture);
                reopen(fixture);
        }
}

static uint64_t next_random(uint64_t *random) {
        *random = *random * 6364136223846793005 + 1442695040888963407;
        return *random >> 33;
}

/* Reads what is about to be compacted, and what may be cut off, until there is an entry at the end.
 */
static void *read_on(void *userdata) {
        _cleanup_(buffer_done) Buffer scratch = {};
        EntryLog *log = userdata;
        uint64_t last = 0, term;

        while (last < READ_UNTIL) {
                last = entry_log_last(log, &term);
                for (uint64_t i = 0, index; i < 50; i++) {
                        uint8_t content[CONTENT_MAX];
                        Entry entry;
                        int r;

                        index = i % 2 > 0 ? entry_log_base(log, &term) + 1 : last - i / 2;
                        r = entry_log_read(log, index, &scratch, &entry);
                        if (r == -ENODATA)
                                continue;
                        if (r < 0 || entry.size != make_content(index, entry.term, content) ||
                            memcmp(entry.data, content, entry.size) != 0)
                                return log; /* an entry that is none */
                }
        }
        return NULL;
}

TEST(others_may_read_meanwhile) {
        Fixture *fixture = *state;
        pthread_t thread;
        void *verdict;

        assert_int_equal(pthread_create(&thread, NULL, read_on, fixture->log), 0);
        for (uint64_t index = 1; index <= READ_UNTIL; index += 5) {
                write_entries(fixture, index, index + 8, index);
                write_entries(fixture, index + 3, index + 4, index + 1);
                if (index > 30)
                        compact(fixture, index - 30);
        }
        assert_int_equal(pthread_join(thread, &verdict), 0);
        assert_null(verdict);
        assert_same(fixture);
}

TEST(whatever_is_done_comes_back) {
        Fixture *fixture = *state;
        uint64_t random = 1, term = 1, compacted = 0;

        for (unsigned step = 0; step < 1500; step++) {
                uint64_t last = fixture->model.last, what = next_random(&random) % 20, first, reach;

                term += next_random(&random) % 8 == 0;
                first = last + 1;
                if (what < 4 && last > compacted) {
                        first = compacted + 1 + next_random(&random) % (last - compacted);
                        term++;
                }
                if (what == 4)
                        reopen(fixture);
                else if (what == 5) {
                        compacted += next_random(&random) % (last - compacted + 1);
                        compact(fixture, compacted);
                } else if (what == 6 && step % 5 == 0 && last < MODEL_MAX / 2) {
                        ConsensusWrite reset = { .number = 1, .reset = true, .base_term = term };

                        compacted = last + next_random(&random) % 50;
                        reset.last = compacted;
                        reset.first = compacted + 1;
                        see_term(fixture, term);
                        assert_int_equal(entry_log_write(fixture->log, &reset, 1), 0);
                        model_write(&fixture->model, &reset);
                } else if (last + 10 < MODEL_MAX) {
                        reach = first + next_random(&random) % 8;
                        write_entries(fixture, first, reach, term);
                }
                if (step % 20 == 0)
                        assert_same(fixture);
        }
        reopen(fixture);
        assert_same(fixture);
}

/* Limits */

TEST(an_entry_has_its_limit) {
        Fixture *fixture = *state;
        uint8_t *data = calloc(1, ENTRY_SIZE_MAX + 1);
        Entry entries[] = { { 1, ENTRY_REQUESTS, ENTRY_SIZE_MAX, data },
                            { 1, ENTRY_REQUESTS, ENTRY_SIZE_MAX + 1, data } };
        ConsensusWrite write = { .number = 1, .first = 1, .last = 2, .entries = entries };
        _cleanup_(buffer_done) Buffer scratch = {};
        Entry entry;

        assert_non_null(data);
        see_term(fixture, 1);
        assert_int_equal(entry_log_write(fixture->log, &write, 1), -EFBIG);
        assert_same(fixture);
        write.last = 1;
        assert_int_equal(entry_log_write(fixture->log, &write, 1), 0);
        assert_int_equal(entry_log_read(fixture->log, 1, &scratch, &entry), 0);
        assert_int_equal(entry.size, ENTRY_SIZE_MAX);
        free(data);
}

/* On a small file system, in a namespace of its own. */
static void fill_the_disk(const char *directory) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        uint64_t index = 1, compacted;
        ConsensusWrite write;
        int r;

        fixture->directory = (char *) directory;
        fixture->dir_fd = open_directory(directory);
        assert_int_equal(open_log(fixture), 0);
        see_term(fixture, 1);
        for (;; index += 3) {
                write = make_write(fixture, index, index + 2, 1);
                r = entry_log_write(fixture->log, &write, 1);
                if (r < 0)
                        break;
                model_write(&fixture->model, &write);
        }
        assert_int_equal(r, -ENOSPC);
        assert_true(index > 100);

        /* All of it or nothing, again and again. */
        assert_same(fixture);
        assert_int_equal(entry_log_write(fixture->log, &write, 1), -ENOSPC);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 3, 3 * CONTENT_MAX), -ENOSPC);
        reopen(fixture);
        assert_same(fixture);

        /* When there is room again it goes on. */
        compacted = index / 2;
        compact(fixture, compacted);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 3, 3 * CONTENT_MAX), 0);
        assert_int_equal(entry_log_write(fixture->log, &write, 1), 0);
        model_write(&fixture->model, &write);
        assert_same(fixture);
        reopen(fixture);
        assert_same(fixture);
        (void) entry_log_free(fixture->log);
        free(fixture);
}

TEST(a_full_disk_refuses_and_does_no_harm) {
        Fixture *fixture = *state;
        int status;

        status = small_disk(fixture->directory, 200, fill_the_disk);
        if (status == -EPERM)
                skip();
        assert_int_equal(status, 0);
}

/* What was promised is not refused: nothing changes the size of the file any more. */
TEST(room_that_was_reserved_is_there) {
        Fixture *fixture = *state;
        struct stat before, after;

        write_entries(fixture, 1, 20, 1);
        reopen(fixture);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 30, 30 * CONTENT_MAX), 0);
        assert_ok(stat(path_of(fixture, "0000000002"), &before));
        write_entries(fixture, 11, 40, 2);
        assert_ok(stat(path_of(fixture, "0000000002"), &after));
        assert_int_equal(before.st_size, after.st_size);
        assert_int_equal(before.st_blocks, after.st_blocks);
        assert_int_equal(entry_log_reserve(fixture->log, 1, 1, SIZE_MAX / 2), -EFBIG);
        reopen(fixture);
        assert_same(fixture);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(what_was_written_comes_back),
                RUN(what_was_cut_off_does_not),
                RUN(several_writes_are_carried_out_in_their_order),
                RUN(a_log_begins_again_behind_a_database),
                RUN(term_and_vote_are_kept),
                RUN(nothing_of_a_term_that_is_not_stored_is_written),
                RUN(the_core_is_told_what_is_there),
                RUN(a_core_goes_on_where_it_was),
                RUN(whole_segments_are_given_back),
                RUN(what_is_cut_off_may_lie_in_segments_that_are_gone),
                RUN(all_may_be_compacted),
                RUN(what_is_worth_keeping_is_counted_in_bytes),
                RUN(a_cut_may_reach_back_before_what_is_compacted),
                RUN(others_may_read_meanwhile),
                RUN(whatever_is_done_comes_back),
                RUN(an_entry_has_its_limit),
                RUN(a_full_disk_refuses_and_does_no_harm),
                RUN(room_that_was_reserved_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
