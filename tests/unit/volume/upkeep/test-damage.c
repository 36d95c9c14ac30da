/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

typedef struct Trial {
        DamageWait wait;
        int result;
        sem_t done;
} Trial;

static void on_done(DamageWait *wait, int result) {
        Trial *trial = CONTAINER_OF(wait, Trial, wait);

        trial->result = result;
        assert_ok(sem_post(&trial->done));
}

static bool found(World *world, uint64_t version, int error, Trial *trial) {
        *trial = (Trial){ .wait.done = on_done };
        assert_ok(sem_init(&trial->done, 0, 0));
        return damage_found_wait(world->copies.damage, "key", version, error, &trial->wait);
}

/* Answers the next call, which tells of N copies. */
static void answer(World *world, size_t n, int error) {
        Reader body = stand_in_receive(&world->master, CALL_DAMAGED);
        _cleanup_(buffer_done) Buffer reply = {};
        WireDamage damage;

        assert_int_equal(reader_get_u32(&body), WORLD_NUMBER);
        for (size_t i = 0; i < n; i++) {
                assert_ok(wire_get_damage(&body, &damage));
                assert_string_equal(damage.key, "key");
                wire_put_error(&reply, error);
        }
        assert_ok(reader_end(&body));
        stand_in_answer(&world->master, &reply);
}

static uint64_t count(World *world) {
        uint64_t n_copies, n_found;

        damage_count(world->copies.damage, &n_copies, &n_found);
        return n_copies;
}

TEST(other_errors_are_no_damage) {
        World *world = *state;
        Trial trial;

        assert_false(found(world, 2, -ENOMEM, &trial));
        assert_false(damage_found(world->copies.damage, "key", 2, 0));
        assert_int_equal(count(world), 0);
}

TEST(who_waits_hears_what_the_master_says) {
        const int says[] = { 0, -ENOENT, -EBADMSG };
        World *world = *state;

        stand_in_listen(&world->master);
        for (size_t i = 0; i < ELEMENTSOF(says); i++) {
                Trial trial;

                assert_true(found(world, 2 + 2 * i, -EBADMSG, &trial));
                answer(world, 1, says[i]);
                wait_for(&trial.done);
                assert_int_equal(trial.result, says[i]);
        }
        assert_int_equal(count(world), 3);
}

/* The master is not asked again for a while; who comes later gets the same answer at once. */
TEST(what_was_told_is_not_told_again) {
        World *world = *state;
        Trial first, second;

        stand_in_listen(&world->master);
        assert_true(found(world, 2, -EBADMSG, &first));
        answer(world, 1, 0);
        wait_for(&first.done);
        assert_true(found(world, 2, -EBADMSG, &second));
        assert_int_equal(sem_trywait(&second.done), 0);
        assert_int_equal(second.result, 0);
        assert_int_equal(count(world), 1);
}

TEST(a_copy_that_is_good_again_is_forgotten) {
        World *world = *state;

        assert_true(damage_found(world->copies.damage, "key", 2, -EBADMSG));
        assert_int_equal(count(world), 1);
        damage_forget(world->copies.damage, 4);
        assert_int_equal(count(world), 1);
}

TEST(without_a_master_the_wait_has_an_end) {
        World *world = *state;
        Trial trial;

        assert_true(found(world, 2, -EBADMSG, &trial));
        wait_for(&trial.done);
        assert_int_equal(trial.result, -EHOSTDOWN);
        assert_int_equal(count(world), 1); /* and is told when there is one */
}

TEST(a_stop_gives_everybody_an_answer) {
        World *world = *state;
        Trial trial, late;

        assert_true(found(world, 2, -EBADMSG, &trial));
        damage_stop(world->copies.damage);
        wait_for(&trial.done);
        assert_int_equal(trial.result, -EHOSTDOWN);
        assert_true(found(world, 4, -EBADMSG, &late));
        assert_int_equal(sem_trywait(&late.done), 0);
        assert_int_equal(late.result, -EHOSTDOWN);
}

TEST(what_is_found_meanwhile_goes_with_the_next_call) {
        World *world = *state;
        Trial first, more[3];

        stand_in_listen(&world->master);
        assert_true(found(world, 2, -EBADMSG, &first));
        stand_in_await(&world->master);
        for (size_t i = 0; i < 3; i++)
                assert_true(found(world, 4 + 2 * i, -EBADMSG, more + i));
        answer(world, 1, 0);
        answer(world, 3, -ENOENT);
        wait_for(&first.done);
        for (size_t i = 0; i < 3; i++) {
                wait_for(&more[i].done);
                assert_int_equal(more[i].result, -ENOENT);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(other_errors_are_no_damage),
                RUN(who_waits_hears_what_the_master_says),
                RUN(what_was_told_is_not_told_again),
                RUN(a_copy_that_is_good_again_is_forgotten),
                RUN(without_a_master_the_wait_has_an_end),
                RUN(a_stop_gives_everybody_an_answer),
                RUN(what_is_found_meanwhile_goes_with_the_next_call),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
