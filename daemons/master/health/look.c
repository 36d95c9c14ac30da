/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/health/look.h"
#include "base/clock.h"

int health_look(Volumes *volumes, Troubles *troubles, HealthLook *ret) {
        HealthLook look = { .copies = volumes_copies(volumes) };
        size_t n_volumes, n_troubles;
        int r;

        r = volumes_list(volumes, &look.volumes, &n_volumes, &look.epoch);
        if (r < 0)
                return r;
        r = troubles_list(troubles, &look.troubles, &n_troubles);
        if (r < 0) {
                health_look_done(&look);
                return r;
        }

        look.input = (HealthInput){
                .volumes = look.volumes,
                .n_volumes = n_volumes,
                .troubles = look.troubles,
                .n_troubles = n_troubles,
                .copies = look.copies,
                .now_usec = clock_realtime(),
        };
        health_of(&look.input, &look.health);
        *ret = look;
        return 0;
}

void health_look_done(HealthLook *look) {
        free(look->volumes);
        free(look->troubles);
        *look = (HealthLook){};
}

static void add_to_mark(const Trouble *trouble, void *userdata) {
        Checksum *mark = userdata, parts[2] = { *mark, checksum_of(trouble, sizeof(*trouble)) };

        *mark = checksum_of(parts, sizeof(parts));
}

Checksum health_look_mark(const HealthLook *look) {
        Checksum mark = {};

        health_each(&look->input, add_to_mark, &mark);
        return mark;
}

typedef struct Teller {
        const HealthLook *look;
        int (*on_words)(const TroubleWords *words, void *userdata);
        void *userdata;
        int error;
} Teller;

static void on_trouble(const Trouble *trouble, void *userdata) {
        Teller *teller = userdata;
        const TroubleInfo *info = trouble_info(trouble->kind);
        char sentence[TROUBLE_SENTENCE_SIZE], advice[TROUBLE_SENTENCE_SIZE];
        uint64_t now = teller->look->input.now_usec;

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

int health_look_each(
                const HealthLook *look,
                int (*on_words)(const TroubleWords *words, void *userdata),
                void *userdata) {
        Teller teller = { .look = look, .on_words = on_words, .userdata = userdata };

        health_each(&look->input, on_trouble, &teller);
        return teller.error < 0 ? teller.error : 0;
}
