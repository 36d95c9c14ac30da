/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a mover works on: an index, a volume that a test stands in for, to which copies are moved,
 * and two that have them. Include after "test.h". */

#include "base/clock.h"
#include "core/call/wire.h"
#include "http/stand-in.h"
#include "master/cluster/report.h"
#include "master/move/mover.h"
#include "scratch.h"
#include "store/index/move.h"

#define TARGET 1 /* the volume that the test stands in for */
#define FIRST  2 /* sources, which nobody asks */
#define SECOND 3

static char *directory;
static _Atomic uint64_t grace_usec; /* an hour at first */
static sd_event *event;
static Index *the_index;
static Volumes *volumes;
static Outbox *outbox;
static HttpServer *clients_server; /* at which clients may be at work */
static StandIn volume;
static Mover *mover;
static MoveOutcome outcomes[1000];
static size_t n_outcomes;
static sem_t answered;

static inline void on_moved(const MoveResult *result, void *userdata) {
        outcomes[n_outcomes++] = result->outcome;
}

static inline void on_answered(HttpCall *call, const HttpResult *result, void *userdata) {
        assert_ok(sem_post(&answered));
}

static inline bool has_clients(void *userdata) {
        return clients_server && http_server_has_clients(clients_server);
}

static inline void report(uint32_t number, const char *url) {
        static uint64_t sequence;
        VolumeReport request = { .number = number,
                                 .uuid = { (uint8_t) number },
                                 .run = 1,
                                 .sequence = ++sequence,
                                 .url = url,
                                 .zone = "" };
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        assert_int_equal(volumes_report(volumes, &request), 0);
        index_set(the_index, &barrier); /* what was submitted before it is done when it is */
        assert_int_equal(scratch_wait(), 0);
}

static inline int setup(void **state) {
        MoverOptions mover_options;
        IndexOptions options = { .directory = directory = scratch_new() };
        VolumesOptions volumes_options = { .timeout_usec = USEC_PER_HOUR,
                                           .copies = 1,
                                           .auto_add = true };

        n_outcomes = 0;
        grace_usec = USEC_PER_HOUR;
        assert_ok(sem_init(&answered, 0, 0));
        clients_server = NULL;
        assert_ok(sd_event_new(&event));
        assert_int_equal(index_open(&options, &the_index), 0);
        assert_int_equal(volumes_new(the_index, &volumes_options, &volumes), 0);
        stand_in_init(&volume);
        stand_in_listen(&volume);
        assert_int_equal(outbox_new(volume.peers, volumes, &outbox), 0);
        mover_options = (MoverOptions){
                .index = the_index,
                .volumes = volumes,
                .outbox = outbox,
                .peers = volume.peers,
                .grace_usec = &grace_usec,
                .has_clients = has_clients,
        };
        report(TARGET, volume.url);
        report(FIRST, "http://127.0.0.1:2");
        report(SECOND, "http://127.0.0.1:3");
        assert_int_equal(mover_new(&mover_options, on_moved, NULL, &mover), 0);
        return 0;
}

static inline int teardown(void **state) {
        stand_in_hang_up(&volume);
        the_index = index_free(the_index);
        mover = mover_free(mover);
        outbox = outbox_free(outbox);
        stand_in_done(&volume);
        volumes = volumes_free(volumes);
        event = sd_event_unref(event);
        directory = scratch_free(directory);
        return 0;
}

static inline void write_key(const char *key, uint64_t version, size_t n_copies) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = version,
                        .size = 10,
                        .content_type = "",
                        .metadata = "",
                        .n_copies = (uint8_t) n_copies,
                        .copies = { FIRST, SECOND },
                },
        };

        index_commit(the_index, &commit);
        assert_int_equal(scratch_wait(), 0);
}
