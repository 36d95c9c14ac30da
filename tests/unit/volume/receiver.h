/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Receiver: another volume that a value is passed on to. It keeps what it gets, and answers as it
 * is told. Include after "test.h". */

#include <pthread.h>

#include "base/buffer.h"
#include "core/call/ticket.h"
#include "core/key.h"
#include "http/http.h"
#include "rpc/secret.h"
#include "volume/request/upload.h"

typedef enum ReceiverMode {
        RECEIVER_GOOD,
        RECEIVER_WRONG_SUM, /* it has stored something else */
        RECEIVER_NO_ETAG,
        RECEIVER_BAD_ETAG,
        RECEIVER_REFUSES, /* with an error, once all is there */
        RECEIVER_STALLS,  /* it takes nothing until it is told to go on */
        RECEIVER_CUTS,    /* the connection, in the middle of its answer */
} ReceiverMode;

typedef struct Receiver {
        ReceiverMode mode;
        int error; /* for RECEIVER_REFUSES */

        Fixture server;
        char authority[64];
        pthread_mutex_t lock; /* for the rest */
        HttpRequest *stalled;
        bool goes_on;
        unsigned n_begun, n_complete, n_over;
        Buffer value;
        char key[KEY_MAX + 1], type[64], metadata[64];
        Ticket ticket;
} Receiver;

/* Listens; whoever has SECRET may write. */
void receiver_start(Receiver *receiver, Secret *secret);
void receiver_stop(Receiver *receiver);

/* Makes a receiver that stalls take what comes from now on. */
void receiver_go_on(Receiver *receiver);

/* Waits until N requests have come, or are over. */
void receiver_await_begun(Receiver *receiver, unsigned n);
void receiver_await_over(Receiver *receiver, unsigned n);

/* Makes it number I of the other volumes of a ticket, as volume NUMBER. */
void receiver_join(const Receiver *receiver, Ticket *ticket, size_t i, uint32_t number);
