/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/call/ticket.h"
#include "core/majority.h"
#include "core/url.h"
#include "master/cluster/choice.h"
#include "master/cluster/volumes-internal.h"

/* From how far on a clock that is wrong may make tickets and signatures fail. */
static uint64_t skew_max(const Volumes *volumes) {
        uint64_t lifetime = SIGNATURE_LIFETIME_SEC * USEC_PER_SEC;

        return MIN(volumes->options.ticket_usec ?: lifetime, lifetime) / 2;
}

/* With the lock held: whether the clock of a volume is so far off that its tickets and signatures,
 * or ours there, may fail. */
static bool is_skewed(const Volumes *volumes, uint32_t number) {
        int64_t skew = number < volumes->n_live ? volumes->live[number].skew_usec : 0;

        return (uint64_t) (skew < 0 ? -skew : skew) > skew_max(volumes);
}

typedef struct Choice {
        const Volumes *volumes;
        uint64_t now_usec;
        uint64_t size;
        const uint32_t *tried; /* these are out */
        size_t n_tried;
        bool reached_only; /* as are those to which calls do not get through */
        bool any_full;
} Choice;

static bool was_tried(const Choice *choice, uint32_t number) {
        for (size_t i = 0; i < choice->n_tried; i++)
                if (choice->tried[i] == number)
                        return true;
        return false;
}

static bool is_usable(const Volume *volume, void *userdata) {
        Choice *choice = userdata;
        const Volumes *volumes = choice->volumes;
        const Live *live = volumes->live + volume->number;

        if (!volumes_is_up(volumes, volume->number, choice->now_usec) ||
            was_tried(choice, volume->number))
                return false;
        if (volume->maintenance_until > 0 && volume_in_maintenance(volume, clock_realtime()))
                return false;
        if (choice->reached_only &&
            (!contacts_is_fit(volumes->contacts, volume->number, choice->now_usec) ||
             is_skewed(volumes, volume->number)))
                return false;
        if (live->fault == STORE_FAULT_NONE && live->disk_free > choice->size)
                return true;
        choice->any_full |= live->fault == STORE_FAULT_NONE || live->fault == STORE_FAULT_FULL;
        return false;
}

/* With the lock held. */
static size_t
place(const Volumes *volumes, uint64_t hash, size_t copies, Choice *choice, uint32_t *ret) {
        size_t n;

        choice->reached_only = true;
        n = cluster_place(volumes->map.cluster, hash, copies, is_usable, choice, ret);
        if (copies_suffice(n, copies))
                return n;

        choice->reached_only = false;
        return cluster_place(volumes->map.cluster, hash, copies, is_usable, choice, ret);
}

int volumes_place(
                Volumes *volumes,
                uint64_t hash,
                size_t copies,
                uint64_t size,
                uint32_t ret[static COPIES_MAX]) {
        Choice choice = { .volumes = volumes, .now_usec = clock_monotonic(), .size = size };
        size_t n;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        n = place(volumes, hash, copies, &choice, ret);
        (void) pthread_rwlock_unlock(&volumes->map.lock);

        if (n > 0)
                return (int) n;
        return choice.any_full ? -ENOSPC : -EHOSTDOWN;
}

int volumes_place_another(
                Volumes *volumes, uint64_t hash, uint64_t size, const uint32_t tried[], size_t n) {
        Choice choice = {
                .volumes = volumes,
                .now_usec = clock_monotonic(),
                .size = size,
                .tried = tried,
                .n_tried = n,
                .reached_only = true,
        };
        uint32_t found[COPIES_MAX];

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        n = cluster_place(volumes->map.cluster, hash, 1, is_usable, &choice, found);
        (void) pthread_rwlock_unlock(&volumes->map.lock);

        if (n > 0)
                return (int) found[0];
        return choice.any_full ? -ENOSPC : -EHOSTDOWN;
}

/* With the lock held. */
static int choose(
                const Volumes *volumes,
                const Record *record,
                unsigned first,
                unsigned avoid,
                char ret_url[static VOLUME_URL_SIZE]) {
        uint64_t now_usec = clock_monotonic();
        uint32_t chosen = 0;

        for (size_t i = 0; i < record->n_copies; i++) {
                size_t j = (first + i) % record->n_copies;
                uint32_t number = record->copies[j];
                bool is_good = contacts_is_good(volumes->contacts, number) &&
                               !is_skewed(volumes, number);
                char url[VOLUME_URL_SIZE];

                if (avoid & (1U << j) || (chosen > 0 && !is_good) ||
                    volumes_find_url(volumes, number, now_usec, url) < 0)
                        continue;
                memcpy(ret_url, url, sizeof(url));
                chosen = number;
                if (is_good)
                        break;
        }
        return chosen > 0 ? (int) chosen : -EHOSTDOWN;
}

/* Spreads readers over the copies. By chance: whoever reads the same keys again and again would by
 * turns be sent to the same copy of each, if their number is even, and would never find out that
 * another one is damaged. A linear congruential generator with Knuth's constants (MMIX). */
static unsigned draw(void) {
        static __thread uint64_t state;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (state >> 33);
}

int volumes_choose(
                Volumes *volumes,
                const Record *record,
                unsigned avoid,
                char ret_url[static VOLUME_URL_SIZE]) {
        unsigned first = draw();
        int r;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = choose(volumes, record, first, avoid, ret_url);
        if (r < 0 && avoid != 0)
                r = choose(volumes, record, first, ~avoid, ret_url);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

/* With the lock held. */
static bool is_cut(const Volumes *volumes, uint32_t from, uint32_t to) {
        const Live *live = from < volumes->n_live ? volumes->live + from : NULL;

        for (size_t i = 0; live && i < live->n_cut; i++)
                if (live->cut[i] == to)
                        return true;
        return false;
}

bool volumes_is_cut(Volumes *volumes, uint32_t from, uint32_t to) {
        bool cut;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        cut = is_cut(volumes, from, to);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return cut;
}

bool volumes_answers_at(Volumes *volumes, const char *authority) {
        const Cluster *cluster;
        uint64_t now = clock_monotonic();
        bool answers = false;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        cluster = volumes->map.cluster;
        for (size_t i = 0; i < cluster->n_volumes && !answers; i++) {
                const Volume *volume = cluster->volumes + i;

                answers = strcmp(url_authority(volume->url), authority) == 0 &&
                          volume->state != VOLUME_REMOVED &&
                          volumes_is_up(volumes, volume->number, now) &&
                          contacts_is_good(volumes->contacts, volume->number);
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return answers;
}
