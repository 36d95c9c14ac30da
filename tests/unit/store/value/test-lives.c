/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "scratch.h"
#include "store/environment/opening.h"
#include "store/value/lives.h"

typedef struct Fixture {
        char *directory;
        Environment *environment;
        Lives lives;
} Fixture;

static Fixture *running; /* of the hooks */

static int on_ending(Transaction *transaction, void *userdata) {
        return lives_save(&running->lives, transaction);
}

static void on_ended(bool committed, void *userdata) {
        lives_ended(&running->lives, committed);
}

static void open_all(Fixture *fixture) {
        const EnvironmentOptions options = { .directory = fixture->directory };
        const EnvironmentHooks hooks = { .format = "test", .ending = on_ending, .ended = on_ended };

        running = fixture;
        lives_init(&fixture->lives);
        assert_int_equal(environment_open(&options, &hooks, &fixture->environment), 0);
        assert_int_equal(environment_seal(fixture->environment), 0);
        assert_int_equal(lives_load(&fixture->lives, fixture->environment), 0);
}

static void close_all(Fixture *fixture) {
        fixture->environment = environment_free(fixture->environment);
        lives_done(&fixture->lives);
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        open_all(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        close_all(fixture);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

typedef struct Add {
        Operation operation;
        uint32_t segment;
        int64_t n_bytes;
        bool fails;
} Add;

static int apply_add(Operation *operation, Transaction *transaction) {
        const Add *add = CONTAINER_OF(operation, Add, operation);
        int r;

        r = lives_add(&running->lives, transaction, add->segment, add->n_bytes);
        return add->fails ? transaction_fail(transaction, -EIO) : r;
}

static int add(Fixture *fixture, uint32_t segment, int64_t n_bytes, bool fails) {
        Add request = { { .apply = apply_add }, segment, n_bytes, fails };

        return environment_run(fixture->environment, &request.operation);
}

TEST(sums_are_kept_and_come_back) {
        Fixture *fixture = *state;

        for (uint32_t segment = 100; segment > 0; segment--)
                assert_int_equal(add(fixture, segment, segment * 10, false), 0);
        assert_int_equal(add(fixture, 7, 5, false), 0);
        assert_int_equal(add(fixture, 9, -90, false), 0);
        for (unsigned round = 0; round < 2; round++) {
                assert_int_equal(lives_of(&fixture->lives, 7), 75);
                assert_int_equal(lives_of(&fixture->lives, 9), 0);
                assert_int_equal(lives_of(&fixture->lives, 100), 1000);
                assert_int_equal(lives_of(&fixture->lives, 101), 0);
                assert_int_equal(lives_total(&fixture->lives), 50500 + 5 - 90);
                assert_int_equal(fixture->lives.n, 99);
                close_all(fixture);
                open_all(fixture);
        }
}

TEST(what_is_rolled_back_was_never_added) {
        Fixture *fixture = *state;

        assert_int_equal(add(fixture, 1, 10, false), 0);
        assert_int_equal(add(fixture, 1, 5, true), -EIO);
        assert_int_equal(add(fixture, 2, 5, true), -EIO);
        assert_int_equal(lives_of(&fixture->lives, 1), 10);
        assert_int_equal(lives_of(&fixture->lives, 2), 0);
        assert_int_equal(lives_total(&fixture->lives), 10);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(sums_are_kept_and_come_back),
                RUN(what_is_rolled_back_was_never_added),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
