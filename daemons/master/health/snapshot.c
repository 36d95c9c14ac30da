/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/health/snapshot.h"
#include "base/clock.h"

int health_snapshot(Volumes *volumes, Troubles *troubles, HealthSnapshot *ret) {
        HealthSnapshot snapshot = { .copies = volumes_copies(volumes) };
        size_t n_volumes, n_troubles;
        int r;

        r = volumes_list(volumes, &snapshot.volumes, &n_volumes, &snapshot.epoch);
        if (r < 0)
                return r;
        r = troubles_list(troubles, &snapshot.troubles, &n_troubles);
        if (r < 0) {
                health_snapshot_done(&snapshot);
                return r;
        }

        snapshot.input = (HealthInput){
                .volumes = snapshot.volumes,
                .n_volumes = n_volumes,
                .troubles = snapshot.troubles,
                .n_troubles = n_troubles,
                .copies = snapshot.copies,
                .now_usec = clock_realtime(),
        };
        health_of(&snapshot.input, &snapshot.health);
        *ret = snapshot;
        return 0;
}

void health_snapshot_done(HealthSnapshot *snapshot) {
        free(snapshot->volumes);
        free(snapshot->troubles);
        *snapshot = (HealthSnapshot){};
}

static void add_to_mark(const Trouble *trouble, void *userdata) {
        Checksum *mark = userdata, parts[2] = { *mark, checksum_of(trouble, sizeof(*trouble)) };

        *mark = checksum_of(parts, sizeof(parts));
}

Checksum health_snapshot_mark(const HealthSnapshot *snapshot) {
        Checksum mark = {};

        health_each(&snapshot->input, add_to_mark, &mark);
        return mark;
}

typedef struct Teller {
        const HealthSnapshot *snapshot;
        int (*on_words)(const TroubleWords *words, void *userdata);
        void *userdata;
        int error;
} Teller;

static void on_trouble(const Trouble *trouble, void *userdata) {
        Teller *teller = userdata;
        const TroubleInfo *info = trouble_info(trouble->kind);
        char sentence[TROUBLE_SENTENCE_SIZE], advice[TROUBLE_SENTENCE_SIZE];
        uint64_t now = teller->snapshot->input.now_usec;

        if (teller->error < 0)
                return;

        trouble_format(info->sentence, trouble, NULL, now, sentence);
        trouble_format(info->advice, trouble, NULL, now, advice);
        teller->error = teller->on_words(
                        &(TroubleWords){
                                        .trouble = trouble,
                                        .name = info->name,
                                        .level = health_level_to_string(info->level),
                                        .sentence = sentence,
                                        .advice = advice,
                        },
                        teller->userdata);
}

int health_snapshot_each(
                const HealthSnapshot *snapshot,
                int (*on_words)(const TroubleWords *words, void *userdata),
                void *userdata) {
        Teller teller = { .snapshot = snapshot, .on_words = on_words, .userdata = userdata };

        health_each(&snapshot->input, on_trouble, &teller);
        return teller.error < 0 ? teller.error : 0;
}
