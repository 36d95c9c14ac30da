/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A process that writes a log of entries dies at any call, each call fails, the disk is full, and
 * power is lost at any point, with any part of what was not flushed on the disk. Then all that was
 * acknowledged is there, and of what was under way a part from its beginning. $DKV_POWER_STATES:
 * how many states are made. */

#include "store/entries/entries-fixture.h"

#include <errno.h>
#include <stdio.h>

#include "fault.h"
#include "power.h"

#define STEPS 20

#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s (%s)\n", __LINE__, #condition, \
                                       disk_last_damage()); \
                        abort(); \
                } \
        while (false)

typedef enum Action { WRITE, VOTE, COMPACT, REOPEN } Action;

static Action action_of(unsigned step) {
        if (step == STEPS / 2)
                return REOPEN;
        return step % 7 == 0 ? VOTE : step % 6 == 5 ? COMPACT : WRITE;
}

/* What a step writes: more entries, others in the places of some, or the log begins again. */
static ConsensusWrite write_of(Fixture *fixture, unsigned step) {
        uint64_t last = fixture->model.last, term = 1 + step / 4;
        ConsensusWrite write;

        if (step == 13)
                return (ConsensusWrite){ .number = 1,
                                         .reset = true,
                                         .first = last + 31,
                                         .last = last + 30,
                                         .base_term = term };
        if (step % 4 == 0 && last > fixture->model.compacted + 3)
                return make_write(fixture, last - 1, last + step % 3, term);
        write = make_write(fixture, last + 1, last + 1 + step % 4, term);
        return write;
}

/* Of all that is written until the next vote. */
static void vote_of(Model *model, unsigned step) {
        model->term = 10 + step;
        model->vote = step % 3;
}

/* What the model is after a step. */
static void model_step(Fixture *fixture, unsigned step) {
        ConsensusWrite write;

        switch (action_of(step)) {
        case WRITE:
                write = write_of(fixture, step);
                model_write(&fixture->model, &write);
                break;
        case VOTE:
                vote_of(&fixture->model, step);
                break;
        case COMPACT:
                fixture->model.compacted = MAX(fixture->model.last - 3, fixture->model.reset);
                break;
        case REOPEN:
                break;
        }
}

/* What the disk had no room for is done once more. */
static int do_step(Fixture *fixture, unsigned step) {
        Model after = fixture->model;
        ConsensusWrite write;
        int r = 0;

        switch (action_of(step)) {
        case WRITE:
                write = write_of(fixture, step);
                r = entry_log_write(fixture->log, &write, 1);
                if (r == -ENOSPC)
                        r = entry_log_write(fixture->log, &write, 1);
                break;
        case VOTE:
                vote_of(&after, step);
                r = entry_log_vote(fixture->log, after.term, after.vote);
                if (r == -ENOSPC)
                        r = entry_log_vote(fixture->log, after.term, after.vote);
                break;
        case COMPACT:
                entry_log_compact(fixture->log, MAX(fixture->model.last - 3, fixture->model.reset));
                break;
        case REOPEN:
                fixture->log = entry_log_free(fixture->log);
                r = open_log(fixture);
                break;
        }
        if (r >= 0)
                model_step(fixture, step);
        return r;
}

static Fixture *fixture_of(const char *directory) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        CHECK(fixture);
        fixture->directory = (char *) directory;
        fixture->dir_fd = open_directory(directory);
        return fixture;
}

static void fixture_free(Fixture *fixture) {
        (void) entry_log_free(fixture->log);
        closep(&fixture->dir_fd);
        free(fixture);
}

static void scene(const char *directory) {
        Fixture *fixture = fixture_of(directory);

        if (open_log(fixture) >= 0)
                for (unsigned step = 0; step < STEPS && do_step(fixture, step) >= 0; step++)
                        fault_acknowledge(0);
        fixture_free(fixture);
}

/* Whether the log is what it was, or what it may be while the next step is under way. */
static bool is_explained(Fixture *fixture, unsigned next) {
        Model before = fixture->model;
        ConsensusWrite write;
        uint64_t last;

        if (!compare(fixture->log, &fixture->model))
                return true;
        if (next >= STEPS || action_of(next) == VOTE || action_of(next) == REOPEN)
                return false;
        if (action_of(next) == COMPACT) {
                model_step(fixture, next);
                return !compare(fixture->log, &fixture->model);
        }

        write = write_of(fixture, next);
        last = write.last;
        for (write.last = write.first - 1; write.last <= last; write.last++) {
                fixture->model = before;
                model_write(&fixture->model, &write);
                if (!compare(fixture->log, &fixture->model))
                        return true;
        }
        return false;
}

static void check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        Fixture *fixture = fixture_of(directory);
        unsigned step = 0;
        ConsensusWrite more;
        ConsensusDisk disk;
        Model now, next;

        (void) acknowledged;

        CHECK(open_log(fixture) == 0);
        while (step < n_acknowledged)
                model_step(fixture, step++);

        now = next = fixture->model;
        if (step < STEPS && action_of(step) == VOTE)
                vote_of(&next, step);
        CHECK(entry_log_load(fixture->log, &disk) == 0);
        CHECK((disk.term == now.term && disk.vote == now.vote) ||
              (disk.term == next.term && disk.vote == next.vote));
        CHECK(is_explained(fixture, step));

        /* It goes on, and a second start finds the same. */
        CHECK(entry_log_vote(fixture->log, 100, 0) == 0);
        more = make_write(fixture, fixture->model.last + 1, fixture->model.last + 2, 100);
        CHECK(entry_log_write(fixture->log, &more, 1) == 0);
        model_write(&fixture->model, &more);
        fixture->log = entry_log_free(fixture->log);
        CHECK(open_log(fixture) == 0);
        CHECK(!compare(fixture->log, &fixture->model));
        fixture_free(fixture);
}

static const FaultSweep crash = { scene, check };

TEST(the_log_survives_errors) {
        assert_in_range(fault_sweep(&crash, FAULT_ERROR), 50, 200);
}

TEST(the_log_survives_a_full_disk) {
        assert_in_range(fault_sweep(&crash, FAULT_FULL), 50, 200);
}

TEST(the_log_survives_the_death_of_its_process) {
        assert_in_range(fault_sweep(&crash, FAULT_DIE), 50, 200);
}

TEST(the_log_survives_losses_of_power) {
        const char *states = getenv("DKV_POWER_STATES");

        assert_int_equal(power_loss(&crash, states ? (unsigned) atoi(states) : 100, 7), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_log_survives_errors),
                cmocka_unit_test(the_log_survives_a_full_disk),
                cmocka_unit_test(the_log_survives_the_death_of_its_process),
                cmocka_unit_test(the_log_survives_losses_of_power),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
