/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/majority.h"
#include "master/health/health.h"

#define GROUP_MAX    8 /* volumes that are named; of others there is the number */
#define ONE_BY_ONE   3 /* troubles of a kind that have a sentence each; of others there is a list */
#define NUMBERS_SIZE (GROUP_MAX * sizeof("65535 and ") + sizeof(" and 18446744073709551615 others"))

/* Of all volumes that are known. */
typedef struct Counts {
        size_t known, active, usable, waiting;
} Counts;

static bool is_usable(const VolumeStatus *volume) {
        return volume->state == VOLUME_ACTIVE && volume->up && volume->maintenance_until == 0 &&
               volume->disk_free > 0 && volume->fault == STORE_FAULT_NONE &&
               volume->contact.n_failed < 2;
}

/* Nothing depends on a new volume or on one that is not there any more. */
static bool is_needed(const VolumeStatus *volume) {
        return volume->state == VOLUME_ACTIVE || volume->state == VOLUME_DRAINING;
}

static void count(const HealthInput *input, Counts *ret) {
        *ret = (Counts){};
        for (size_t i = 0; i < input->n_volumes; i++) {
                const VolumeStatus *volume = input->volumes + i;

                ret->known += volume->state != VOLUME_REMOVED;
                ret->active += volume->state == VOLUME_ACTIVE;
                ret->usable += is_usable(volume);
                ret->waiting += volume->state == VOLUME_NEW && volume->reports;
        }
}

/* What is wrong with the cluster as a whole. */
static bool find_of_cluster(
                const HealthInput *input,
                const Counts *counts,
                TroubleKind kind,
                char detail[static TROUBLE_DETAIL_SIZE]) {
        size_t needed = copies_needed(input->copies);

        /* Only the reason why the master does not lead is worth telling; advice about volumes would
         * be wrong. */
        for (size_t i = 0; i < input->n_troubles; i++)
                if (input->troubles[i].kind == TROUBLE_BEHIND ||
                    input->troubles[i].kind == TROUBLE_FOREIGN)
                        return false;

        switch (kind) {
        case TROUBLE_NO_VOLUME:
                return counts->known == 0;
        case TROUBLE_NO_ACTIVE_VOLUME:
                return counts->known > 0 && counts->active == 0;
        case TROUBLE_TOO_FEW_VOLUMES:
                (void) snprintf(detail, TROUBLE_DETAIL_SIZE,
                                "%zu of %zu volumes can take new values, Copies=%" PRIu64
                                " needs %zu",
                                counts->usable, counts->active, input->copies, needed);
                return counts->active > 0 && counts->usable < needed;
        case TROUBLE_TOO_FEW_ACTIVE:
                (void) snprintf(detail, TROUBLE_DETAIL_SIZE, "%zu, fewer than Copies=%" PRIu64,
                                counts->active, input->copies);
                return counts->active > 0 && counts->usable >= needed &&
                       counts->active < input->copies;
        default:
                return false;
        }
}

static bool is_full(const VolumeStatus *volume) {
        return volume->disk_free == 0 || volume->fault == STORE_FAULT_FULL;
}

/* What calls to a volume say that does not report. */
static void explain_down(const VolumeStatus *volume, char detail[static TROUBLE_DETAIL_SIZE]) {
        const ContactState *contact = &volume->contact;
        const char *what, *and = "";

        if (contact->n_failed == 0 && contact->good_usec == 0)
                return; /* nobody has called */

        if (contact->n_failed == 0) {
                what = "it answers";
                and = ", but its reports do not come through";
        } else if (contact->os_error == ECONNREFUSED)
                what = "nothing listens";
        else if (contact->error == -EHOSTDOWN)
                what = "nothing answers";
        else {
                what = "it takes connections";
                and = ", but does not answer";
        }
        (void) snprintf(detail, TROUBLE_DETAIL_SIZE, ": %s at %.100s%s", what, volume->url, and);
}

/* What is wrong with one volume, by its status. */
static bool find_of_volume(const VolumeStatus *volume, TroubleKind kind, Trouble *trouble) {
        bool maintenance = volume->maintenance_until > 0;

        trouble->since_usec = 0;
        *trouble->detail = '\0';
        switch (kind) {
        case TROUBLE_VOLUME_DOWN:
                trouble->since_usec = volume->seen_usec;
                explain_down(volume, trouble->detail);
                return is_needed(volume) && !volume->up && !maintenance;
        case TROUBLE_FULL: /* a draining one gets nothing, and is about to have nothing */
                return volume->state == VOLUME_ACTIVE && volume->up && is_full(volume);
        case TROUBLE_NEARLY_FULL:
                return volume->state == VOLUME_ACTIVE && volume->up && !is_full(volume) &&
                       volume->nearly_full;
        case TROUBLE_NOT_HEARD_OF:
                return is_needed(volume) && volume->up && !volume->reports && !maintenance;
        case TROUBLE_WAITING:
                return volume->state == VOLUME_NEW && volume->reports;
        case TROUBLE_MAINTENANCE:
                return is_needed(volume) && maintenance;
        case TROUBLE_DRAINING:
                return volume->state == VOLUME_DRAINING;
        default:
                return false;
        }
}

typedef void (*OnTrouble)(const Trouble *trouble, void *userdata);

static void each_of_kind(
                const HealthInput *input,
                const Counts *counts,
                TroubleKind kind,
                OnTrouble on_trouble,
                void *userdata) {
        Trouble trouble = { .kind = kind };

        if (find_of_cluster(input, counts, kind, trouble.detail))
                on_trouble(&trouble, userdata);

        for (size_t i = 0; i < input->n_volumes; i++) {
                trouble.volume = input->volumes[i].number;
                if (find_of_volume(input->volumes + i, kind, &trouble))
                        on_trouble(&trouble, userdata);
        }
        for (size_t i = 0; i < input->n_troubles; i++)
                if (input->troubles[i].kind == kind)
                        on_trouble(input->troubles + i, userdata);
}

void health_each(const HealthInput *input, OnTrouble on_trouble, void *userdata) {
        Counts counts;

        count(input, &counts);
        for (int level = _HEALTH_LEVEL_MAX - 1; level >= 0; level--)
                for (TroubleKind kind = 0; kind < _TROUBLE_KIND_MAX; kind++)
                        if ((int) trouble_info(kind)->level == level)
                                each_of_kind(input, &counts, kind, on_trouble, userdata);
}

/* Troubles of a kind. */
typedef struct Group {
        Trouble members[GROUP_MAX]; /* the first ones */
        size_t n;
} Group;

static void add_to_group(const Trouble *trouble, void *userdata) {
        Group *group = userdata;

        if (group->n < GROUP_MAX)
                group->members[group->n] = *trouble;
        group->n++;
}

/* "2", "2 and 3", "2, 3 and 4", and of more than can be named "1, …, 8 and 92 others". */
static void format_numbers(const Group *group, size_t from, char ret[static NUMBERS_SIZE]) {
        size_t n = MIN(group->n, (size_t) GROUP_MAX);
        char *end = ret;

        *end = '\0';
        for (size_t i = from; i < n; i++)
                end += sprintf(end, "%s%" PRIu32,
                               i == from           ? ""
                               : i + 1 == group->n ? " and "
                                                   : ", ",
                               group->members[i].volume);
        if (group->n > n)
                (void) sprintf(end, " and %zu others", group->n - n);
}

/* For a command: "2 3 4". */
static void format_arguments(const Group *group, char ret[static NUMBERS_SIZE]) {
        char *end = ret;

        *end = '\0';
        for (size_t i = 0; i < MIN(group->n, (size_t) GROUP_MAX); i++)
                end += sprintf(end, "%s%" PRIu32, i == 0 ? "" : " ", group->members[i].volume);
}

/* Adds a sentence, if it fits. */
static void say(Health *health, const char *sentence) {
        size_t size = strlen(health->reason), n = strlen(sentence);

        if (size + 1 + n >= sizeof(health->reason))
                return;
        if (size > 0)
                health->reason[size++] = ' ';
        memcpy(health->reason + size, sentence, n + 1);
}

/* What was advised first is about what is worst, and stays. */
static void advise(const Group *group, TroubleKind kind, uint64_t now_usec, Health *health) {
        char numbers[NUMBERS_SIZE], advice[TROUBLE_SENTENCE_SIZE];

        if (*health->advice)
                return;
        format_arguments(group, numbers);
        trouble_format(trouble_info(kind)->advice, group->members,
                       kind == TROUBLE_WAITING ? numbers : NULL, now_usec, advice);
        if (kind == TROUBLE_VOLUME_DOWN && group->n > 1)
                (void) snprintf(health->advice, sizeof(health->advice), "On the first one's%s",
                                advice + strlen("On its"));
        else
                (void) snprintf(health->advice, sizeof(health->advice), "%s", advice);
}

static void tell(const Group *group, TroubleKind kind, uint64_t now_usec, Health *health) {
        const TroubleInfo *info = trouble_info(kind);
        char numbers[NUMBERS_SIZE], sentence[TROUBLE_SENTENCE_SIZE];
        size_t n = info->many && group->n > 1 ? 0 : MIN(group->n, (size_t) ONE_BY_ONE);

        health->level = MAX(health->level, info->level);
        for (size_t i = 0; i < n; i++) {
                trouble_format(info->sentence, group->members + i, NULL, now_usec, sentence);
                say(health, sentence);
        }
        if (n < group->n) {
                format_numbers(group, n, numbers);
                trouble_format(info->many ?: "The same is true of volumes {volume}.",
                               group->members, numbers, now_usec, sentence);
                say(health, sentence);
        }
}

/* Where volumes are missing that nobody has started yet. */
static void advise_more(const HealthInput *input, const Counts *counts, Health *health) {
        if (!*health->advice && counts->waiting == 0 && counts->active < input->copies)
                (void) snprintf(health->advice, sizeof(health->advice),
                                "Make more volumes: dkvadm volume create NUMBER --add");
}

static void add_active(const HealthInput *input, Group *group) {
        for (size_t i = 0; i < input->n_volumes; i++)
                if (input->volumes[i].state == VOLUME_ACTIVE)
                        add_to_group(&(Trouble){ .volume = input->volumes[i].number }, group);
}

static void say_all_are_up(const HealthInput *input, Health *health) {
        char numbers[NUMBERS_SIZE], sentence[TROUBLE_SENTENCE_SIZE];
        Group group = {};

        add_active(input, &group);
        format_numbers(&group, 0, numbers);
        (void) snprintf(sentence, sizeof(sentence),
                        group.n == 1 ? "Volume %s is up." : "Volumes %s are up.", numbers);
        say(health, sentence);
}

static void tell_of_level(
                const HealthInput *input, const Counts *counts, HealthLevel level, Health *health) {
        for (TroubleKind kind = 0; kind < _TROUBLE_KIND_MAX; kind++) {
                Group group = {};

                if (trouble_info(kind)->level != level)
                        continue;
                each_of_kind(input, counts, kind, add_to_group, &group);
                if (group.n == 0)
                        continue;
                tell(&group, kind, input->now_usec, health);
                advise(&group, kind, input->now_usec, health);
        }
}

void health_of(const HealthInput *input, Health *ret) {
        Counts counts;

        count(input, &counts);
        *ret = (Health){};
        tell_of_level(input, &counts, HEALTH_DOWN, ret);
        tell_of_level(input, &counts, HEALTH_DEGRADED, ret);
        advise_more(input, &counts, ret);
        tell_of_level(input, &counts, HEALTH_OK, ret);
        if (!*ret->reason)
                say_all_are_up(input, ret);
}
