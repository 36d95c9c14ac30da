/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/periodic.h"
#include "core/limits.h"
#include "master/health/clocks.h"
#include "master/link/greeting.h"
#include "master/link/probe.h"
#include "store/index/storage.h"

#define TICK_USEC     (USEC_PER_SEC / 4)
#define PATIENCE_USEC USEC_PER_SEC /* also for calls to a volume that does not answer probes */
#define TICKS_UP      2            /* between probes of a volume */
#define TICKS_DOWN    8
#define TICKS_INDEX   4

struct Prober {
        ProberOptions options;
        Greetings *greetings; /* owned */
        Periodic *timer;
        unsigned tick;
};

typedef struct Probe {
        Prober *prober;
        uint32_t volume;
} Probe;

static void on_answer(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_free_ Probe *probe = userdata;
        Prober *prober = probe->prober;
        HttpResult judged = *result;

        if (greeting_judge(prober->greetings, probe->volume, call, result) == -EREMOTE)
                judged.status = 421;
        volumes_note_request(prober->options.volumes, probe->volume, &judged);
}

static int start_probe(Prober *prober, uint32_t volume) {
        _cleanup_free_ Probe *probe = NULL;
        int r;

        probe = malloc(sizeof(*probe));
        if (!probe)
                return -ENOMEM;
        *probe = (Probe){ .prober = prober, .volume = volume };
        r = greeting_send(prober->greetings, volume, on_answer, probe);
        if (r < 0)
                return r;

        probe = NULL; /* on_answer() frees it, or has done so */
        return 0;
}

void prober_hurry(Prober *prober, uint32_t volume) {
        (void) start_probe(prober, volume); /* one is under way, or it works the next time */
}

/* Reports have come since the calls began to fail, so the volume is not gone. */
static bool is_unreachable(const VolumeStatus *volume, uint64_t now_usec) {
        const ContactState *contact = &volume->contact;
        uint64_t failing_usec = now_usec - MIN(now_usec, contact->failed_usec);

        return volume->reports && contact->n_failed >= 2 && failing_usec >= PATIENCE_USEC &&
               clock_realtime() - MIN(clock_realtime(), volume->seen_usec) + PATIENCE_USEC / 2 <
                               failing_usec;
}

static void note(Prober *prober, const VolumeStatus *volume) {
        Troubles *troubles = prober->options.troubles;
        const ContactState *contact = &volume->contact;
        bool is_unreached = is_unreachable(volume, clock_monotonic()),
             refuses = is_unreached && contact->error == -EACCES;

        if (refuses)
                troubles_note(troubles, TROUBLE_REFUSES, volume->number, "%s", volume->url);
        else
                troubles_clear(troubles, TROUBLE_REFUSES, volume->number);

        if (!is_unreached || refuses || contact->error == -EREMOTE) /* that is told by greeting.c */
                troubles_clear(troubles, TROUBLE_UNREACHABLE, volume->number);
        else if (contact->os_error > 0)
                troubles_note(troubles, TROUBLE_UNREACHABLE, volume->number, "%s (%s)", volume->url,
                              strerror(contact->os_error));
        else
                troubles_note(troubles, TROUBLE_UNREACHABLE, volume->number, "%s", volume->url);
}

/* Two calls have had no answer for PATIENCE_USEC: the probe, and the one that waits here. */
static void end_silent(Prober *prober, const VolumeStatus *volume) {
        http_client_end_silent(prober->options.client, volume->url, PATIENCE_USEC);
        http_client_end_silent(prober->options.bulk, volume->url, PATIENCE_USEC);
        peers_end_silent(prober->options.peers, volume->url, PATIENCE_USEC);
}

static void look_at(Prober *prober, const VolumeStatus *volume) {
        unsigned ticks = volume->up ? TICKS_UP : TICKS_DOWN;

        if (volume->state == VOLUME_REMOVED) {
                troubles_clear_volume(prober->options.troubles, volume->number);
                return;
        }
        note(prober, volume);
        if (volume->contact.n_failed > 0 || !volume->up)
                end_silent(prober, volume);
        if (!volume->reports || (prober->tick + volume->number) % ticks == 0)
                prober_hurry(prober, volume->number);
}

/* Whether the index has room. */
static void look_at_index(Prober *prober) {
        const ProberOptions *options = &prober->options;
        const char *directory = options->directory;
        uint64_t available, size;

        if (index_free_space(options->index, &available, &size) < 0)
                return;

        if (available == 0)
                troubles_note(options->troubles, TROUBLE_INDEX_DISK_FULL, 0, "%s", directory);
        else
                troubles_clear(options->troubles, TROUBLE_INDEX_DISK_FULL, 0);
        if (available > 0 && disk_is_nearly_full(available, size))
                troubles_note(options->troubles, TROUBLE_INDEX_DISK_LOW, 0, "%s", directory);
        else
                troubles_clear(options->troubles, TROUBLE_INDEX_DISK_LOW, 0);
}

void prober_start(Prober *prober) {
        _cleanup_free_ VolumeStatus *volumes = NULL;
        uint64_t epoch;
        size_t n;

        if (prober->tick++ % TICKS_INDEX == 0)
                look_at_index(prober);
        if (volumes_list(prober->options.volumes, &volumes, &n, &epoch) < 0)
                return;
        clocks_look(prober->options.troubles, volumes, n);
        for (size_t i = 0; i < n; i++)
                look_at(prober, volumes + i);
}

static void on_tick(void *userdata) {
        prober_start(userdata);
}

int prober_new(const ProberOptions *options, sd_event *event, Prober **ret) {
        _cleanup_(prober_freep) Prober *prober = calloc(1, sizeof(*prober));
        int r;

        if (!prober)
                return -ENOMEM;

        prober->options = *options;
        r = greetings_new(
                        &(GreetingsOptions){
                                        .index = options->index,
                                        .lead = options->lead,
                                        .volumes = options->volumes,
                                        .troubles = options->troubles,
                                        .client = options->client,
                                        .url = options->url,
                        },
                        &prober->greetings);
        if (r < 0)
                return r;
        r = periodic_new(event, TICK_USEC, TICK_USEC, on_tick, prober, &prober->timer);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(prober);
        return 0;
}

Prober *prober_free(Prober *prober) {
        if (!prober)
                return NULL;

        (void) periodic_free(prober->timer);
        (void) greetings_free(prober->greetings);
        free(prober);
        return NULL;
}
