/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Outcome: what became of a call that a test has made. */

#include <semaphore.h>
#include <stdatomic.h>

#include "channel/channel.h"

typedef struct Outcome {
        sem_t done;
        atomic_uint n; /* outcomes; there must be just one */
        uint64_t at;   /* by the clock of the loop */
        int error;
        bool is_unsent;
        char reason[FRAME_SENTENCE_MAX + 1];
        uint8_t *body; /* owned */
        size_t body_size;
        FrameStamp stamp;
        uint64_t id;
} Outcome;

void outcome_init(Outcome *outcome);

/* ChannelCall.on_answer, with an outcome as userdata. */
void outcome_take(const ChannelResult *result, void *userdata);

/* A byte of a body that depends on SEED. */
uint8_t outcome_body_byte(size_t i, uint8_t seed);

/* Waits for the outcome, at most 20 s. */
void outcome_wait(Outcome *outcome);
/* ... which must be the same body. */
void outcome_assert_echo(Outcome *outcome, size_t size, uint8_t seed);
void outcome_assert_error(Outcome *outcome, int error, bool is_unsent);
void outcome_done(Outcome *outcome);
