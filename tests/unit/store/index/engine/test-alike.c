/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whatever is decided, all members have the same tables: requests of all kinds at random, members
 * that lag, are started again, or are what a crash has left of them. */

#include "test.h"

#include "random-requests.h"
#include "store/index/group-fixture.h"
#include "store/index/request-batch.h"

#define ROUNDS 150
#define BATCH  24

static Script *script; /* of the answers */

static void on_done(IndexRequest *request, IndexResult result) {
        assert_true(result.outcome == INDEX_DONE || result.outcome == INDEX_REFUSED);
        script_note_answer(script);
}

/* As a master would. */
static void submit_some(RandomSource *source, Seat *leader) {
        RandomRequest *requests = calloc(BATCH, sizeof(*requests));
        unsigned n = 1 + (unsigned) random_below(source, BATCH);

        script->n_answered = 0;
        for (unsigned i = 0; i < n; i++) {
                RequestType type = random_type(source);

                random_request(source, type, requests + i);
                requests[i].decoded.request.done = on_done;
                submit_request(&leader->index->submitter, type, &requests[i].decoded.request);
        }
        script_run(script, leader, n);
        free(requests);
}

/* Some of them say that there is no room. */
static void decide_some(RandomSource *source) {
        RandomRequest *request = calloc(1, sizeof(*request));
        _cleanup_(buffer_done) Buffer entry = {};

        request_batch_begin(script->term, &entry);
        for (uint64_t n = 1 + random_below(source, BATCH); n > 0; n--) {
                random_request(source, random_type(source), request);
                request_batch_add(&request->decoded.request, &entry);
        }
        script_add(script, ENTRY_REQUESTS, entry.data, entry.size);
        free(request);
}

static void crash(Seat *seat) {
        char *copy = scratch_copy(seat->directory);

        seat_close(seat);
        (void) scratch_free(seat->directory);
        seat->directory = copy;
        seat_open(seat);
}

static void disturb(RandomSource *source, Seat *seat) {
        switch (random_below(source, 40)) {
        case 0:
                seat_close(seat);
                seat_open(seat);
                break;
        case 1:
                crash(seat);
                break;
        default:
                if (random_below(source, 3) == 0)
                        seat_follow(seat);
                break;
        }
}

static void run_seed(uint64_t seed) {
        RandomSource source = { .state = seed * 88172645463325252, .version = 2 };
        uint64_t entry;
        Checksum hash;

        script = calloc(1, sizeof(*script));
        script_new(script);
        script_open(script);
        assert_int_equal(seat_lead(script->seats, 6), 0);
        source.index = script->seats[0].index;

        for (unsigned round = 0; round < ROUNDS; round++) {
                if (random_below(&source, 4) == 0)
                        decide_some(&source);
                else
                        submit_some(&source, script->seats);
                for (size_t i = 1; i < SEATS; i++)
                        disturb(&source, script->seats + i);
        }
        follow_all(script);
        assert_alike(script);
        assert_int_equal(index_hash(script->seats[1].index, &hash, &entry), 0);
        print_message("seed %u: %zu entries\n", (unsigned) seed, script->n);

        /* Of each the tables alone say all that there is: a start changes nothing. */
        for (size_t i = 0; i < SEATS; i++) {
                seat_close(script->seats + i);
                seat_open(script->seats + i);
        }
        assert_alike(script);
        script_done(script);
        free(script);
}

TEST(all_members_have_the_same_tables) {
        for (uint64_t seed = 1; seed <= 3; seed++)
                run_seed(seed);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_members_have_the_same_tables),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
