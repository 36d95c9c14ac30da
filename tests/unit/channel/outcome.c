/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "channel/outcome.h"

void outcome_init(Outcome *outcome) {
        *outcome = (Outcome){};
        assert_ok(sem_init(&outcome->done, 0, 0));
}

void outcome_take(const ChannelResult *result, void *userdata) {
        Outcome *outcome = userdata;

        if (outcome->n++ > 0)
                return;

        outcome->at = loop_current() ? loop_now(loop_current()) : 0;
        outcome->error = result->error;
        outcome->is_unsent = result->is_unsent;
        outcome->stamp = result->stamp;
        (void) snprintf(outcome->reason, sizeof(outcome->reason), "%s", result->reason);
        outcome->body_size = result->body_size;
        outcome->body = malloc(MAX(result->body_size, (size_t) 1));
        assert_non_null(outcome->body);
        if (result->body_size > 0)
                memcpy(outcome->body, result->body, result->body_size);
        assert_ok(sem_post(&outcome->done));
}

uint8_t outcome_body_byte(size_t i, uint8_t seed) {
        return (uint8_t) (i * 31 + i / 256 + seed);
}

void outcome_wait(Outcome *outcome) {
        struct timespec until;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 20;
        assert_ok(sem_timedwait(&outcome->done, &until));
        assert_ok(sem_post(&outcome->done)); /* for who asks again */
}

void outcome_assert_echo(Outcome *outcome, size_t size, uint8_t seed) {
        assert_int_equal(outcome->error, 0);
        assert_int_equal(outcome->body_size, size);
        assert_true(outcome->stamp.lead.term == seed && outcome->stamp.sequence == size);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(outcome->body[i], outcome_body_byte(i, seed));
}

void outcome_assert_error(Outcome *outcome, int error, bool is_unsent) {
        assert_int_equal(outcome->error, error);
        assert_int_equal(outcome->is_unsent, is_unsent);
        assert_true(*outcome->reason);
}

void outcome_done(Outcome *outcome) {
        assert_true(outcome->n <= 1);
        free(outcome->body);
        outcome->body = NULL;
}
