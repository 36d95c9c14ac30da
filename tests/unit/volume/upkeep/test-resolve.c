/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which objects a volume asks its master about, and when it stops. */

#include "volume/volume-world.h"

#include <errno.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "volume/upkeep/resolve.h"

#define GRACE_USEC 1 /* whatever is pending is old */

/* What one call asks about. */
typedef struct Question {
        size_t n;
        uint64_t versions[8];
        char keys[8][KEY_MAX + 1];
} Question;

/* The master that is asked is another stand-in than the one that gets the reports. */
static StandIn master;
static MasterLink *link_to_master;
static Resolver *resolver;

static int setup(void **state) {
        World *world;

        assert_int_equal(world_setup(state), 0);
        world = *state;
        stand_in_listen(&world->master);
        stand_in_init(&master);
        stand_in_listen(&master);
        assert_ok(master_link_new(master.peers, world->allegiance, master.url, &link_to_master));
        assert_ok(resolver_new(
                        &(ResolverOptions){
                                        .event = world->event,
                                        .master = link_to_master,
                                        .copies = &world->copies,
                                        .sweep = world->sweep,
                                        .report = world->report,
                                        .number = WORLD_NUMBER,
                        },
                        &resolver));
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        stand_in_done(&master);
        resolver = resolver_free(resolver);
        link_to_master = master_link_free(link_to_master);
        stand_in_hang_up(&world->master);
        if (world->master.call) /* a report, or damage */
                stand_in_refuse(&world->master, -ESHUTDOWN);
        return world_teardown(state);
}

/* Runs the loop for a while in which the resolver has its turn at least once. */
static void run_for_a_turn(World *world) {
        uint64_t until = clock_monotonic() + 1500 * USEC_PER_MSEC;

        while (clock_monotonic() < until)
                assert_ok(sd_event_run(world->event, 50 * USEC_PER_MSEC));
}

static Question await_question(World *world) {
        Question question = {};
        Reader body;

        while (sem_trywait(&master.arrived) < 0)
                assert_ok(sd_event_run(world->event, 10 * USEC_PER_MSEC));
        assert_ok(sem_post(&master.arrived));
        body = stand_in_receive(&master, CALL_SETTLE);
        assert_int_equal(reader_get_u32(&body), WORLD_NUMBER);
        while (body.size > 0) {
                assert_true(question.n < ELEMENTSOF(question.versions));
                question.versions[question.n] = reader_get_u64(&body);
                (void) snprintf(question.keys[question.n], KEY_MAX + 1, "%s", wire_get_key(&body));
                question.n++;
        }
        assert_ok(reader_error(&body));
        return question;
}

static void answer(World *world) {
        stand_in_answer(&master, &(Buffer){});
}

static void await_not_pending(World *world, uint64_t version) {
        while (pending_contains(world->copies.pending, version))
                assert_ok(sd_event_run(world->event, USEC_PER_MSEC));
}

static void put_pending(World *world, uint64_t version, const char *key) {
        pending_add(world->copies.pending, version);
        world_put(world, version, key, "value", 5);
}

TEST(what_is_in_doubt_is_asked_about_with_its_key) {
        World *world = *state;
        Question question;

        put_pending(world, 2, "a");
        put_pending(world, 4, "b/\xc3\xa4");
        world_put(world, 6, "c", "value", 5); /* which is settled */
        world_hear_grace(world, GRACE_USEC);
        question = await_question(world);
        assert_int_equal(question.n, 2);
        assert_int_equal(question.versions[0], 2);
        assert_string_equal(question.keys[0], "a");
        assert_int_equal(question.versions[1], 4);
        assert_string_equal(question.keys[1], "b/\xc3\xa4");
        assert_true(pending_contains(world->copies.pending, 2)); /* until there is an answer */
        answer(world);
        await_not_pending(world, 2);
        await_not_pending(world, 4);
}

/* A write may take as long as the grace time, and nobody knows how long that is yet. */
TEST(before_the_master_has_told_the_grace_time_nothing_is_asked) {
        World *world = *state;

        put_pending(world, 2, "a");
        run_for_a_turn(world);
        assert_int_equal(sem_trywait(&master.arrived), -1);
        assert_true(pending_contains(world->copies.pending, 2));
}

TEST(what_is_younger_than_the_grace_time_is_left_alone) {
        World *world = *state;

        put_pending(world, 2, "a");
        world_hear_grace(world, USEC_PER_HOUR);
        run_for_a_turn(world);
        assert_int_equal(sem_trywait(&master.arrived), -1);
        assert_true(pending_contains(world->copies.pending, 2));
}

TEST(without_an_answer_it_is_asked_again) {
        World *world = *state;

        put_pending(world, 2, "a");
        world_hear_grace(world, GRACE_USEC);
        (void) await_question(world);
        stand_in_refuse(&master, -EOWNERDEAD);
        assert_int_equal(await_question(world).versions[0], 2);
        stand_in_cut(&master);
        assert_int_equal(await_question(world).versions[0], 2);
        assert_true(pending_contains(world->copies.pending, 2));
        answer(world);
        await_not_pending(world, 2);
}

/* It is being stored right now, so there is nothing to ask. */
TEST(what_is_not_there_is_not_asked_about) {
        World *world = *state;
        Question question;

        pending_add(world->copies.pending, 2);
        put_pending(world, 4, "b");
        world_hear_grace(world, GRACE_USEC);
        question = await_question(world);
        assert_int_equal(question.n, 1);
        assert_int_equal(question.versions[0], 4);
        answer(world);
        await_not_pending(world, 4);
        assert_true(pending_contains(world->copies.pending, 2));
}

/* If it is current the master must know that this copy is bad. */
TEST(a_damaged_object_is_asked_about_and_told) {
        static const char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        World *world = *state;
        uint64_t n_copies, n_found;
        char pattern[512];
        Question question;

        pending_add(world->copies.pending, 2);
        world_put(world, 2, "a", value, sizeof(value));
        (void) snprintf(pattern, sizeof(pattern), "rm -r '%s'/objects/*", world->directory);
        assert_int_equal(system(pattern), 0);
        world_hear_grace(world, GRACE_USEC);
        question = await_question(world);
        assert_int_equal(question.n, 1);
        assert_int_equal(question.versions[0], 2);
        assert_string_equal(question.keys[0], "a");
        damage_count(world->copies.damage, &n_copies, &n_found);
        assert_int_equal(n_copies, 1);
}

/* The store went back in time: all of it is asked about, and then never again. */
TEST(a_sweep_asks_about_everything_once) {
        World *world = *state;
        Question question;
        uint64_t next[4];

        for (uint64_t version = 2; version <= 8; version += 2)
                world_put(world, version, "key", "value", 5);
        sweep_hear(world->sweep, 77, 6);
        world_hear_grace(world, GRACE_USEC);
        question = await_question(world);
        assert_int_equal(question.n, 3); /* 8 came later */
        assert_int_equal(question.versions[0], 2);
        assert_int_equal(question.versions[2], 6);
        answer(world);
        while (sweep_next(world->sweep, next, ELEMENTSOF(next)) > 0)
                assert_ok(sd_event_run(world->event, USEC_PER_MSEC));
        sweep_hear(world->sweep, 77, 6);
        assert_int_equal(sweep_next(world->sweep, next, ELEMENTSOF(next)), 0);
}

TEST(a_sweep_without_an_answer_asks_about_the_same_again) {
        World *world = *state;

        world_put(world, 2, "key", "value", 5);
        sweep_hear(world->sweep, 77, 2);
        world_hear_grace(world, GRACE_USEC);
        assert_int_equal(await_question(world).n, 1);
        stand_in_refuse(&master, -ESHUTDOWN);
        assert_int_equal(await_question(world).n, 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_in_doubt_is_asked_about_with_its_key),
                RUN(before_the_master_has_told_the_grace_time_nothing_is_asked),
                RUN(what_is_younger_than_the_grace_time_is_left_alone),
                RUN(without_an_answer_it_is_asked_again),
                RUN(what_is_not_there_is_not_asked_about),
                RUN(a_damaged_object_is_asked_about_and_told),
                RUN(a_sweep_asks_about_everything_once),
                RUN(a_sweep_without_an_answer_asks_about_the_same_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
