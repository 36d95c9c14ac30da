/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Some indexes, and a log between them that the test writes: what is proposed lies there until the
 * test has it decided, by whom it likes. The test's thread is that of the log. */

#include <pthread.h>

#include "store/index/group.h"
#include "store/index/index-fixture.h"

#define SEATS         3
#define SCRIPT_MAX    20000
#define FIRST_DECIDED UINT64_C(2) /* the entry before is that of the founding */

typedef struct Script Script;

typedef struct Seat {
        Script *script;
        char *directory;
        Index *index;
        uint64_t told; /* the last entry that it was told of */
        atomic_uint n_ready;
        atomic_int broken;
        void (*before_done)(void);
} Seat;

typedef struct Proposed {
        Buffer data;
        Entry entry;
        Seat *from;     /* NULL once its proposal has been told of */
        void *proposal; /* of who is FROM */
} Proposed;

struct Script {
        Seat seats[SEATS];
        uint64_t term; /* that what is proposed gets */
        int error;     /* of whoever proposes */

        pthread_mutex_t lock;
        pthread_cond_t changed;
        Proposed *log; /* with the lock */
        size_t n;
        unsigned n_answered;
};

/* Opens a member; the first of them has entry 1, that of the founding. */
int seat_try_open(Seat *seat);
void seat_open(Seat *seat);

/* Of what it has proposed nothing more is told. */
void seat_close(Seat *seat);

/* Tells a member of the next entry. Returns what it says. */
int seat_decide(Seat *seat);

/* Tells a member of all that was proposed, and waits until it is applied. */
void seat_follow(Seat *seat);
void follow_all(Script *script);

/* Has a member lead, in this term. Returns what comes of it. */
int seat_lead(Seat *seat, uint64_t term);

/* Counts an answer; and has one member told of all that comes until there were so many. */
void script_note_answer(Script *script);
void script_run(Script *script, Seat *leader, unsigned n_answers);

/* Puts an entry into the log that nobody's index has proposed. */
void script_add(Script *script, EntryType type, const void *data, size_t size);

/* Makes the directories of a group. */
void script_new(Script *script);
void script_open(Script *script);
void script_done(Script *script);

/* All members have applied the same entries, and their tables are the same. */
void assert_alike(Script *script);
