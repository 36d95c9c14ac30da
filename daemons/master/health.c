/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "health.h"

#define GROUP_MAX 8 /* volumes that are named; of others there is the number */

const char *health_level_to_string(HealthLevel level) {
        static const char *const names[_HEALTH_LEVEL_MAX] = {
                [HEALTH_OK] = "ok",
                [HEALTH_DEGRADED] = "degraded",
                [HEALTH_DOWN] = "down",
        };

        assert(level >= 0 && level < _HEALTH_LEVEL_MAX);

        return names[level];
}

/* Volumes that have something in common. */
typedef struct Group {
        const VolumeStatus *members[GROUP_MAX]; /* the first ones */
        size_t n;
} Group;

static void group_add(Group *group, const VolumeStatus *volume) {
        if (group->n < GROUP_MAX)
                group->members[group->n] = volume;
        group->n++;
}

#define NUMBERS_SIZE (GROUP_MAX * sizeof("65535 and "))

/* "2", "2 and 3", "2, 3 and 4". */
static void group_format(
                const Group *group,
                const char *comma,
                const char *last_comma,
                char ret[static NUMBERS_SIZE]) {
        char *end = ret;

        *end = '\0';
        for (size_t i = 0; i < MIN(group->n, (size_t) GROUP_MAX); i++)
                end += sprintf(end, "%s%" PRIu32,
                               i == 0              ? ""
                               : i + 1 == group->n ? last_comma
                                                   : comma,
                               group->members[i]->number);
}

typedef struct Groups {
        Group known, active, usable, waiting, down, full, nearly_full, maintenance, draining;
} Groups;

static void group_volumes(const VolumeStatus volumes[], size_t n, Groups *ret) {
        *ret = (Groups){};
        for (const VolumeStatus *volume = volumes; volume < volumes + n; volume++) {
                bool active = volume->state == VOLUME_ACTIVE;
                bool maintenance = volume->maintenance_until > 0;

                if (volume->state == VOLUME_REMOVED)
                        continue;
                group_add(&ret->known, volume);
                if (volume->state == VOLUME_NEW) {
                        if (volume->up)
                                group_add(&ret->waiting, volume);
                        continue; /* nothing depends on it */
                }
                group_add(active ? &ret->active : &ret->draining, volume);
                if (active && volume->up && !maintenance && volume->disk_free > 0)
                        group_add(&ret->usable, volume);
                if (maintenance)
                        group_add(&ret->maintenance, volume);
                else if (!volume->up)
                        group_add(&ret->down, volume);
                if (!active)
                        continue; /* it gets nothing, and is about to have nothing */
                if (volume->up && volume->disk_free == 0)
                        group_add(&ret->full, volume);
                else if (volume->up && volume->nearly_full)
                        group_add(&ret->nearly_full, volume);
        }
}

/* Adds a sentence, if it fits. */
_printf_(3, 4) static void say(Health *health, HealthLevel level, const char *format, ...) {
        char sentence[sizeof(health->reason)];
        size_t size = strlen(health->reason);
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(sentence, sizeof(sentence), format, arguments);
        va_end(arguments);

        health->level = MAX(health->level, level);
        if (n < 0 || size + 1 + (size_t) n >= sizeof(health->reason))
                return;
        if (size > 0)
                health->reason[size++] = ' ';
        memcpy(health->reason + size, sentence, (size_t) n + 1);
}

/* Says something of a group of volumes: "Volume 2 is …", "Volumes 2, 3 and 4 are …", with ANNEX
 * behind it if it is one volume only. */
static void say_group(
                Health *health,
                HealthLevel level,
                const Group *group,
                const char *what,
                const char *what_many,
                const char *annex) {
        char numbers[NUMBERS_SIZE];

        group_format(group, ", ", " and ", numbers);
        if (group->n == 1)
                say(health, level, "Volume %s %s%s.", numbers, what, annex);
        else if (group->n <= GROUP_MAX)
                say(health, level, "Volumes %s %s.", numbers, what_many);
        else
                say(health, level, "Volumes %s and %zu others %s.", numbers, group->n - GROUP_MAX,
                    what_many);
}

/* What was advised first is about what is worst, and stays. */
_printf_(2, 3) static void advise(Health *health, const char *format, ...) {
        va_list arguments;

        if (*health->advice)
                return;
        va_start(arguments, format);
        (void) vsnprintf(health->advice, sizeof(health->advice), format, arguments);
        va_end(arguments);
}

static void look_at_active(const Groups *groups, uint64_t copies, Health *health) {
        if (groups->known.n == 0) {
                say(health, HEALTH_DOWN, "No volume is known.");
                advise(health,
                       "Start volumes on their machines (systemctl start dkv-volume@1), then add them: dkvadm volume add 1");
        } else if (groups->active.n == 0)
                say(health, HEALTH_DOWN, "No volume is active.");
        else if (groups->usable.n <= copies / 2)
                say(health, HEALTH_DOWN,
                    "Nothing can be stored: %zu of %zu volumes can take new values, Copies=%" PRIu64
                    " needs %" PRIu64 ".",
                    groups->usable.n, groups->active.n, copies, copies / 2 + 1);
}

/* In local time; " since 03:04:05" for what is not long ago. */
static void format_since(uint64_t seen_usec, uint64_t now_usec, char *ret, size_t size) {
        bool recent = now_usec < seen_usec + 12 * USEC_PER_HOUR;
        time_t seconds = (time_t) (seen_usec / USEC_PER_SEC);
        struct tm tm;

        if (seen_usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(ret, size, recent ? " since %H:%M:%S" : " since %Y-%m-%d %H:%M:%S", &tm) == 0)
                *ret = '\0';
}

static void look_at_down(const Groups *groups, uint64_t now_usec, Health *health) {
        const Group *down = &groups->down;
        const VolumeStatus *first = down->members[0];
        char since[40];

        if (down->n == 0)
                return;

        format_since(first->seen_usec, now_usec, since, sizeof(since));
        say_group(health, HEALTH_DEGRADED, down, "is down", "are down", since);
        advise(health,
               "On %s machine: systemctl status dkv-volume@%" PRIu32
               "; journalctl -u dkv-volume@%" PRIu32,
               down->n == 1 ? "its" : "the first one's", first->number, first->number);
}

static void look_at_number(const Groups *groups, uint64_t copies, Health *health) {
        char numbers[NUMBERS_SIZE];

        if (groups->active.n < copies && health->level < HEALTH_DOWN)
                say(health, HEALTH_DEGRADED, "Active volumes: %zu, fewer than Copies=%" PRIu64 ".",
                    groups->active.n, copies);
        if (groups->waiting.n > 0) {
                say_group(health, HEALTH_OK, &groups->waiting, "waits to be added",
                          "wait to be added", "");
                group_format(&groups->waiting, " ", " ", numbers);
                advise(health, "dkvadm volume add %s", numbers);
        } else if (groups->active.n < copies)
                advise(health, "Start more volumes, then add them: dkvadm volume add NUMBER");
}

static void look_at_space(const Groups *groups, Health *health) {
        if (groups->full.n > 0)
                say_group(health, HEALTH_DEGRADED, &groups->full, "is full", "are full", "");
        if (groups->nearly_full.n > 0)
                say_group(health, HEALTH_DEGRADED, &groups->nearly_full, "is nearly full",
                          "are nearly full", "");
        if (groups->full.n + groups->nearly_full.n > 0)
                advise(health, "Add a volume, or delete values that nobody needs.");
}

static void look_at_maintenance(const Groups *groups, Health *health) {
        if (groups->maintenance.n == 0)
                return;

        say_group(health, HEALTH_OK, &groups->maintenance, "is in maintenance",
                  "are in maintenance", "");
        advise(health, "When the work is done: dkvadm volume maintenance %" PRIu32 " off",
               groups->maintenance.members[0]->number);
}

static void look_at_draining(const Groups *groups, Health *health) {
        if (groups->draining.n > 0)
                say_group(health, HEALTH_OK, &groups->draining, "is being drained",
                          "are being drained", "");
}

void health_of(const VolumeStatus volumes[],
               size_t n,
               uint64_t copies,
               uint64_t now_usec,
               Health *ret) {
        Groups groups;

        group_volumes(volumes, n, &groups);
        *ret = (Health){};
        look_at_active(&groups, copies, ret);
        look_at_down(&groups, now_usec, ret);
        look_at_space(&groups, ret);
        look_at_number(&groups, copies, ret);
        look_at_maintenance(&groups, ret);
        look_at_draining(&groups, ret);
        if (!*ret->reason)
                say_group(ret, HEALTH_OK, &groups.active, "is up", "are up", "");
}
