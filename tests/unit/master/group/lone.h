/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lone: one member of a group, with nobody there but the test. What its disk says is up to the
 * test, and so is what others say, and whether what it is told is taken. */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "master/group/change.h"
#include "master/group/group.h"
#include "master/group/probe.h"
#include "master/group/status.h"

#define LONE_URL "http://127.0.0.1:1" /* where nobody is */

typedef struct Lone {
        char *directory;
        int dir_fd;
        Loops *loops;
        Secret *secret;
        Peers *peers;
        Group *group;
        pthread_t thread; /* the test's own */

        /* What writes end with, and how many have ended so. */
        atomic_int disk_error, vote_error;
        atomic_uint n_failed;

        atomic_uint_least64_t recent_max; /* the most bytes of entries that were kept in memory */

        bool is_elected; /* by the others, for which the test stands in */

        /* If it is to follow, it waits for this one when it has heard of the leader first. */
        bool follows;
        sem_t goes_on;

        pthread_mutex_t lock;
        pthread_cond_t changed;

        /* with the lock */
        GroupView view;
        int take_error; /* why it takes no entry, or 0 */
        unsigned n_offered;
        uint64_t told;    /* the last one that it has taken */
        GroupProbe *asks; /* a probe for when it takes one, or NULL */
        unsigned n_decided, n_refused, n_changed, n_lost; /* the last: the leader */
        int refusal, change_error, broken;
} Lone;

extern Lone lone;

/* As for cmocka; it is not started. */
int lone_setup(void **state);
int lone_teardown(void **state);

/* With a database that has the entries up to APPLIED. */
void lone_start(uint64_t applied);

/* Begin and end what is on the member's thread. */
void lone_enter(void);
void lone_leave(void);

void lone_propose(void);
void lone_propose_sized(size_t size);
GroupStatus lone_status(void);
void lone_wait_for_commit(uint64_t index);

/* It takes no entries, and says so with ERROR; it takes them again. */
void lone_refuse(int error);
void lone_take_again(void);

/* A message of number 2, in one of its processes. */
Handshake lone_other(uint64_t run);
void lone_hear(uint64_t run, const Message *message);

#define LONE_WAIT_FOR(condition) \
        do { \
                (void) pthread_mutex_lock(&lone.lock); \
                while (!(condition)) \
                        (void) pthread_cond_wait(&lone.changed, &lone.lock); \
                (void) pthread_mutex_unlock(&lone.lock); \
        } while (0)
