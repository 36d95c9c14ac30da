/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "core/url.h"
#include "rpc/call.h"
#include "store/object/probe.h"
#include "volume/upkeep/faults.h"

#define TEST_USEC  (2 * USEC_PER_SEC) /* between tests of a store that is well */
#define AGAIN_USEC USEC_PER_SEC       /* of one that is not */
#define SIZE_MIN   (64 * KIB)
#define SIZE_MAX_  (8 * MIB)

#define PEERS_MAX 16

typedef struct Peer {
        uint64_t failed_usec; /* monotonic */
        char authority[256];  /* "" for none */
} Peer;

struct Faults {
        FaultsOptions options;
        pthread_t thread;
        bool has_thread;

        pthread_mutex_t lock; /* for the rest */
        pthread_cond_t changed;
        bool is_stopping, test_now;
        StoreFault fault;
        int error;     /* what the system said */
        uint64_t size; /* of what could not be stored */
        Peer peers[PEERS_MAX];
};

static void log_fault(const Faults *faults, StoreFault fault, int error) {
        const char *directory = faults->options.directory;
        char field[sizeof("DKV_FAULT=") + 16],
                        volume[sizeof("DKV_VOLUME=") + DECIMAL_SIZE(uint32_t)];
        const char *const fields[] = { field, volume, NULL };

        (void) snprintf(field, sizeof(field), "DKV_FAULT=%s", store_fault_to_string(fault));
        (void) snprintf(volume, sizeof(volume), "DKV_VOLUME=%" PRIu32, faults->options.number);
        if (fault == STORE_FAULT_NONE)
                log_event(LOG_NOTICE, EVENT_STORE_WELL, fields,
                          "Values can be stored in '%s' again.", directory);
        else
                log_event(LOG_ERR, EVENT_STORE_FAULT, fields,
                          "Values cannot be stored in '%s' (%s): %s; the master is told to place them elsewhere.",
                          directory, store_fault_to_string(fault), strerror(abs(error)));
}

/* With the lock held. */
static void set_fault(Faults *faults, StoreFault fault, int error) {
        StoreFault before = faults->fault;

        faults->fault = fault;
        faults->error = error;
        if (fault != before)
                log_fault(faults, fault, error);
}

/* With the lock held, which is given up while the disk is waited for. */
static void run_test(Faults *faults) {
        uint64_t size = MIN(MAX(faults->size, (uint64_t) SIZE_MIN), (uint64_t) SIZE_MAX_);
        bool flush = faults->fault == STORE_FAULT_FAILED;
        StoreFault fault;
        int r;

        faults->test_now = false;
        (void) pthread_mutex_unlock(&faults->lock);
        r = object_store_test(faults->options.store, size, flush);
        (void) pthread_mutex_lock(&faults->lock);

        fault = error_store_fault(r);
        if (r < 0 && fault == STORE_FAULT_NONE)
                fault = STORE_FAULT_FAILED;
        if (r >= 0)
                faults->size = 0;
        set_fault(faults, fault, r);
}

static void wait_until(Faults *faults, uint64_t usec) {
        struct timespec until = {
                .tv_sec = (time_t) (usec / USEC_PER_SEC),
                .tv_nsec = (long) (usec % USEC_PER_SEC * 1000),
        };
        int r = 0;

        while (!faults->is_stopping && !faults->test_now && r == 0)
                r = pthread_cond_timedwait(&faults->changed, &faults->lock, &until);
}

typedef struct PeerProbe {
        Faults *faults;
        char authority[256];
} PeerProbe;

static void on_peer_answer(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_free_ PeerProbe *probe = userdata;

        faults_note_peer(probe->faults, probe->authority, result->error);
}

static void probe_peer(Faults *faults, const char *authority) {
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        PeerProbe *probe = malloc(sizeof(*probe));
        _cleanup_free_ char *url = NULL;

        if (!probe)
                return; /* the next time */

        *probe = (PeerProbe){ .faults = faults };
        (void) snprintf(probe->authority, sizeof(probe->authority), "%s", authority);
        if (url_format(&url, authority, "/-/health") < 0 ||
            http_call_new(faults->options.client, "GET", url, &call) < 0) {
                free(probe);
                return;
        }
        http_call_set_stall_timeout(call, AGAIN_USEC);
        http_call_start(TAKE_PTR(call), on_peer_answer, probe);
}

/* Calls the peers that could not be reached. With the lock held, which is given up meanwhile.
 * Returns whether there are any. */
static bool probe_peers(Faults *faults) {
        bool any = false;

        for (size_t i = 0; i < PEERS_MAX; i++) {
                char authority[sizeof(faults->peers[i].authority)];

                memcpy(authority, faults->peers[i].authority, sizeof(authority));
                if (!*authority)
                        continue;
                any = true;
                (void) pthread_mutex_unlock(&faults->lock);
                probe_peer(faults, authority);
                (void) pthread_mutex_lock(&faults->lock);
        }
        return any;
}

static void *run(void *userdata) {
        Faults *faults = userdata;

        (void) pthread_mutex_lock(&faults->lock);
        while (!faults->is_stopping) {
                bool is_well;

                run_test(faults);
                is_well = !probe_peers(faults) && faults->fault == STORE_FAULT_NONE;
                wait_until(faults, clock_monotonic() + (is_well ? TEST_USEC : AGAIN_USEC));
        }
        (void) pthread_mutex_unlock(&faults->lock);
        return NULL;
}

int faults_new(const FaultsOptions *options, Faults **ret) {
        _cleanup_(faults_freep) Faults *faults = calloc(1, sizeof(*faults));
        pthread_condattr_t attributes;
        int r;

        if (!faults)
                return -ENOMEM;

        faults->options = *options;
        (void) pthread_mutex_init(&faults->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&faults->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        r = pthread_create(&faults->thread, NULL, run, faults);
        if (r != 0)
                return -r;
        faults->has_thread = true;

        *ret = TAKE_PTR(faults);
        return 0;
}

void faults_stop(Faults *faults) {
        if (!faults || !faults->has_thread)
                return;

        (void) pthread_mutex_lock(&faults->lock);
        faults->is_stopping = true;
        (void) pthread_cond_signal(&faults->changed);
        (void) pthread_mutex_unlock(&faults->lock);
        (void) pthread_join(faults->thread, NULL);
        faults->has_thread = false;
}

Faults *faults_free(Faults *faults) {
        if (!faults)
                return NULL;

        faults_stop(faults);
        (void) pthread_cond_destroy(&faults->changed);
        (void) pthread_mutex_destroy(&faults->lock);
        free(faults);
        return NULL;
}

int faults_note(Faults *faults, int error, uint64_t size) {
        StoreFault fault = error_store_fault(error);

        if (error >= 0 || fault == STORE_FAULT_NONE)
                return error;

        (void) pthread_mutex_lock(&faults->lock);
        faults->size = MAX(faults->size, size);
        /* There may be room for smaller values: the test decides. */
        if (fault != STORE_FAULT_FULL)
                set_fault(faults, fault, error);
        else if (faults->fault == STORE_FAULT_NONE) {
                faults->test_now = true;
                (void) pthread_cond_signal(&faults->changed);
        }
        (void) pthread_mutex_unlock(&faults->lock);
        return store_fault_to_error(fault);
}

StoreFault faults_get(Faults *faults) {
        StoreFault fault;

        (void) pthread_mutex_lock(&faults->lock);
        fault = faults->fault;
        (void) pthread_mutex_unlock(&faults->lock);
        return fault;
}

int faults_check(Faults *faults) {
        return store_fault_to_error(faults_get(faults));
}

static bool is_of_the_way(int error) {
        return error == -EHOSTDOWN || error == -ECONNRESET || error == -ETIMEDOUT;
}

void faults_note_peer(Faults *faults, const char *authority, int error) {
        bool failed = is_of_the_way(error);
        Peer *peer = faults->peers, *oldest = faults->peers;

        (void) pthread_mutex_lock(&faults->lock);
        for (; peer < faults->peers + PEERS_MAX && strcmp(peer->authority, authority) != 0; peer++)
                if (peer->failed_usec < oldest->failed_usec)
                        oldest = peer;
        if (peer == faults->peers + PEERS_MAX)
                peer = failed ? oldest : NULL;

        if (peer && failed) {
                peer->failed_usec = clock_monotonic();
                (void) snprintf(peer->authority, sizeof(peer->authority), "%s", authority);
        } else if (peer)
                *peer = (Peer){};
        (void) pthread_mutex_unlock(&faults->lock);
}

/* With the lock held. */
static void add_peers(const Faults *faults, Json *peers) {
        for (size_t i = 0; i < PEERS_MAX; i++) {
                const Peer *peer = faults->peers + i;

                if (*peer->authority)
                        json_append(peers, json_new_string(peer->authority));
        }
}

void faults_add(Faults *faults, Json *report) {
        Json *peers = json_new_array();
        StoreFault fault;
        int error;

        (void) pthread_mutex_lock(&faults->lock);
        fault = faults->fault;
        error = faults->error;
        add_peers(faults, peers);
        (void) pthread_mutex_unlock(&faults->lock);

        if (fault != STORE_FAULT_NONE) {
                char detail[160];

                (void) snprintf(detail, sizeof(detail), "%.100s: %s", faults->options.directory,
                                strerror(abs(error)));
                json_add_string(report, "fault", store_fault_to_string(fault));
                json_add_string(report, "fault_detail", detail);
        }
        json_add(report, "peers", peers);
}
