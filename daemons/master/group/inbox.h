/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Inbox: what has come for a group's thread, in order. */

#include <pthread.h>

#include "base/buffer.h"

typedef enum LetterType {
        LETTER_MESSAGE,
        LETTER_LOST,   /* a message to the member */
        LETTER_CLOSED, /* the connection of the member */
        LETTER_PROPOSAL,
        _LETTER_MAX,
} LetterType;

/* As much may wait of each type, so that many proposals do not keep the messages out. */
#define INBOX_SIZE_MAX (64 * MIB)

typedef struct Letter {
        LetterType type;
        uint64_t member;
        Buffer data; /* owned */
        void *proposal;
        struct Letter *next;
} Letter;

Letter *letter_free(Letter *letter);

typedef struct Inbox {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        Letter *first, **last;     /* with the lock, as the rest */
        size_t sizes[_LETTER_MAX]; /* of the letters, in bytes */
        bool is_closed, is_woken;
} Inbox;

void inbox_init(Inbox *inbox);
void inbox_done(Inbox *inbox);

/* DATA, which may be NULL, is taken over on success. Returns 0, -ENOMEM, -ESHUTDOWN, or -EAGAIN if
 * too much of its type waits. Thread: any. */
int inbox_put(Inbox *inbox, const Letter *letter, Buffer *data);

/* Waits for letters, for so long at most or until the inbox is closed or woken, and takes them all.
 * Returns whether it is open. */
bool inbox_wait(Inbox *inbox, uint64_t usec, Letter **ret);

/* Ends a wait, or the next one. Thread: any. */
void inbox_wake(Inbox *inbox);

/* Takes no more. Thread: any. */
void inbox_close(Inbox *inbox);
