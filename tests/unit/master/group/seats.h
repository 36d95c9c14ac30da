/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Seats: members of a group in one process, with real sockets and real logs, and a stand-in for the
 * database of each, which survives that it is stopped as far as it was saved. Whoever is told of an
 * entry is told the same as the others. */

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "master/group/change.h"
#include "master/group/group.h"
#include "master/group/probe.h"
#include "master/group/status.h"
#include "rpc/rpc-service.h"

#define SEATS_MAX   ((size_t) 5)
#define ENTRIES_MAX ((uint64_t) 65536)

#define SEATS_ELECTION_USEC  (150 * USEC_PER_MSEC)
#define SEATS_HEARTBEAT_USEC (30 * USEC_PER_MSEC)

typedef struct Seat {
        uint64_t id;
        int listen_fd; /* stays open, so that the port stays the same */
        char *directory;
        int dir_fd;
        Loops *loops, *caller_loops;
        Secret *secret;
        Peers *peers;
        RpcService *service;
        HttpServer *server;
        Group *group;
        atomic_bool is_cut; /* what it sends and what it is sent gets lost */
        bool lease;
        uint64_t election_usec;

        ConsensusApplied saved; /* what its database has when it is started */

        /* with the lock */
        GroupView view;
        ConsensusApplied applied;
        uint64_t hashes[ENTRIES_MAX]; /* of what was decided, by index, over all its processes */
        uint64_t terms[ENTRIES_MAX];  /* likewise */
        uint64_t fetch;               /* as on_fetch() said */
        unsigned n_fetches;
} Seat;

extern Seat seats[SEATS_MAX];
extern size_t n_seats;
extern atomic_uint seats_channels; /* that were opened */
extern pthread_mutex_t seats_lock;
extern pthread_cond_t seats_changed;
extern unsigned seats_done, seats_refused; /* proposals, with the lock */
extern int seats_refusal;                  /* of the last one, likewise */

/* Of a process that is to be killed; with the lock. Optional. */
extern void (*seats_on_done)(uint64_t index, uint64_t hash);

/* Who is told the same as the stand-in, without the lock; each is optional. Of an entry it is told
 * before, and what it does not take the stand-in does not either. */
typedef struct SeatsConsumer {
        int (*on_decided)(Seat *seat, uint64_t index, const Entry *entry, void *proposal);
        void (*on_refused)(Seat *seat, void *proposal, int error);
        void (*on_view)(Seat *seat, const GroupView *view);
} SeatsConsumer;

extern SeatsConsumer seats_consumer;

/* So many that are in the group from the beginning, and one that is not, if there is to be another
 * one. They are not started. */
void seats_prepare(size_t n_members, size_t n_others);
void seats_end(void);

void seat_start(Seat *seat);
void seat_stop(Seat *seat);

/* As for cmocka: three members that are started. */
int seats_setup(void **state);
int seats_teardown(void **state);

/* Waits for one that leads, and is not OTHER, and may answer reads. */
Seat *seats_wait_for_leader(const Seat *other);
void seat_wait_for(const Seat *seat, uint64_t index); /* until that is decided there */
void seats_wait_for(uint64_t index);                  /* there at all members */

/* Has COUNT entries of SIZE bytes, 8 at least, decided by whoever leads meanwhile. Returns how many
 * entries there are. */
uint64_t seats_decide(unsigned count, const Seat *not_by);
uint64_t seats_decide_sized(unsigned count, size_t size, const Seat *not_by);

/* The database is saved as it is now. */
void seat_save(Seat *seat);

/* Ask, and wait for the answer. */
int seat_probe(Seat *seat, uint64_t term);
int seat_change(Seat *seat, MemberChangeType type, const Seat *who);
int seat_transfer(Seat *seat, const Seat *to);

#define SEATS_WAIT_FOR(condition) \
        do { \
                (void) pthread_mutex_lock(&seats_lock); \
                while (!(condition)) \
                        (void) pthread_cond_wait(&seats_changed, &seats_lock); \
                (void) pthread_mutex_unlock(&seats_lock); \
        } while (0)
