/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "master/trouble/trouble.h"

/* Nobody can make up more of them than this. */
#define TROUBLES_MAX 4096

/* What nobody can see the end of is taken to be over after this. */
#define LASTS_USEC (10 * USEC_PER_SEC)

#define LOOK_AT \
        "On its machine: systemctl status dkv-volume@{volume}; journalctl -u dkv-volume@{volume}"

/* clang-format off */
static const TroubleInfo table[_TROUBLE_KIND_MAX] = {
        [TROUBLE_BEHIND] = {
                "behind", HEALTH_DOWN,
                "The index is older than its volumes, and the master does not lead{since}: {detail}.", NULL,
                "Restore the newer index: see A RESTORED INDEX in dkv-operations(7). Only if there is none, give up what this one does not know: dkvadm master accept-rollback",
        },
        [TROUBLE_FOREIGN] = {
                "foreign", HEALTH_DOWN,
                "{detail}: is its disk mounted? The master does not lead.", NULL,
                "On the master's machine: mount the disk of the index (findmnt), or restore its directory; then systemctl restart dkv-master",
        },
        [TROUBLE_NO_VOLUME] = {
                "no-volume", HEALTH_DOWN,
                "No volume is known.", NULL,
                "Make one on this machine: dkvadm volume create 1 --add. On others: see SECOND MACHINE in dkv-operations(7).",
        },
        [TROUBLE_NO_ACTIVE_VOLUME] = {
                "no-active-volume", HEALTH_DOWN, "No volume is active.", NULL, "",
        },
        [TROUBLE_TOO_FEW_VOLUMES] = {
                "too-few-volumes", HEALTH_DOWN, "Nothing can be stored: {detail}.", NULL, "",
        },
        [TROUBLE_INDEX_DISK_FULL] = {
                "index-disk-full", HEALTH_DOWN,
                "Nothing can be stored{since}: the disk of the index in '{detail}' is full.", NULL,
                "Make room in the master's directory, or give it a larger disk; it goes on by itself.",
        },

        [TROUBLE_VOLUME_DOWN] = {
                "down", HEALTH_DEGRADED,
                "Volume {volume} is down{since}{detail}.", "Volumes {volume} are down.", LOOK_AT,
        },
        [TROUBLE_UNREACHABLE] = {
                "unreachable", HEALTH_DEGRADED,
                "Volume {volume} cannot be reached from the master at {detail}{since}, though it reports.", NULL,
                "Does curl on the master's machine get an answer from /-/health there? Look at firewalls, and at Listen= and Url= of the volume.",
        },
        [TROUBLE_PEER_UNREACHABLE] = {
                "peer-unreachable", HEALTH_DEGRADED,
                "Volume {volume} cannot reach the volumes at {detail}{since}.", NULL,
                "Look at firewalls between these machines: volumes pass values on to each other.",
        },
        [TROUBLE_REFUSES] = {
                "refuses", HEALTH_DEGRADED,
                "Volume {volume} at {detail} refuses the calls of the master{since}, though it reports.", NULL, LOOK_AT,
        },
        [TROUBLE_MASTER_CLOCK] = {
                "master-clock", HEALTH_DEGRADED,
                "The clock of the master is {detail} those of all volumes{since}.", NULL,
                "On the master's machine, set the clock right: timedatectl; chronyc tracking",
        },
        [TROUBLE_CLOCK] = {
                "clock", HEALTH_DEGRADED,
                "The clock of volume {volume} is {detail} the master's{since}.", NULL,
                "Set the clocks of both machines right: timedatectl; chronyc tracking",
        },
        [TROUBLE_DISK_FAILED] = {
                "disk-failed", HEALTH_DEGRADED,
                "The disk of volume {volume} fails{since}: {detail}.", NULL,
                "On its machine: journalctl -k; smartctl -a on its disk. To move its values away and replace it: dkvadm volume delete {volume}",
        },
        [TROUBLE_PAGES_DAMAGED] = {
                "pages-damaged", HEALTH_DEGRADED,
                "Damaged pages of the database of volume {volume}{since}: {detail}; what is in them cannot be read.", NULL,
                "What it lacks is made again from other copies. On its machine: journalctl -k; smartctl -a on its disk. To move its values away and replace it: dkvadm volume delete {volume}",
        },
        [TROUBLE_DISK_READ_ONLY] = {
                "disk-read-only", HEALTH_DEGRADED,
                "The file system of volume {volume} is read-only{since}: {detail}.", NULL,
                "On its machine: journalctl -k; once its file system is known to be sound: mount -o remount,rw and the mount point",
        },
        [TROUBLE_DISK_DENIED] = {
                "disk-denied", HEALTH_DEGRADED,
                "Volume {volume} may not write to its directory{since}: {detail}.", NULL,
                "On its machine: make all of its directory belong to the user of the service, dkv.",
        },
        [TROUBLE_DISK_MISSING] = {
                "disk-missing", HEALTH_DEGRADED,
                "The directory of volume {volume} is gone or incomplete{since}: {detail}.", NULL,
                "On its machine: is its disk mounted? findmnt; then systemctl restart dkv-volume@{volume}",
        },
        [TROUBLE_VALUES_LOST] = {
                "values-lost", HEALTH_DEGRADED,
                "No good copy is left of {detail}{since}.", NULL,
                "If a disk or a directory is missing, bring it back first. dkvadm damage lists them; write again or delete what stays lost.",
                .quiet = true,
        },
        [TROUBLE_COPIES_DAMAGED] = {
                "copies-damaged", HEALTH_DEGRADED,
                "{detail}{since}; they are made again from good ones.", NULL,
                "dkvadm damage lists them; dkvadm job list shows the repair. On its machine: journalctl -k; smartctl -a on its disk",
                .quiet = true,
        },
        [TROUBLE_OVERLOADED] = {
                "overloaded", HEALTH_DEGRADED,
                "Volume {volume} lacks resources{since}: {detail}.", NULL, LOOK_AT,
        },
        [TROUBLE_WENT_BACK] = {
                "went-back", HEALTH_DEGRADED,
                "Volume {volume} went back in time{since}: it does not have what was stored there; {detail}.", NULL,
                "Is an older copy of its directory in its place? If there is a newer one, put that back and restart it; else wait: what it lacks is made again from other copies.",
        },
        [TROUBLE_STRANGER] = {
                "stranger", HEALTH_DEGRADED,
                "Volume {volume} at {detail} holds values of another index and is refused{since}.", NULL,
                "Does its Master= name the right master, and is the right disk mounted there? If it is to be a new volume, give it another, empty directory.",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_SECRET] = {
                "secret", HEALTH_DEGRADED,
                "A volume at {detail} has another secret than the master{since}.", NULL,
                "Copy /etc/credstore/dkv.secret of the master's machine there, and restart its volumes.",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_TWO_RUNS] = {
                "two-runs", HEALTH_DEGRADED,
                "Two daemons serve the store of volume {volume}{since}: at {detail}, which is refused.", NULL,
                "A store must never be served twice. Find out which of the two directories is the copy; it need not be the one that is refused. Stop the daemon on the copy for good.",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_MISPLACED] = {
                "misplaced", HEALTH_DEGRADED,
                "Volume {volume} is not at {detail}{since}, and is not used.", NULL,
                "Set its right address: dkvadm volume set {volume} --url=http://HOST:PORT; with --url= it is the one that it reports.",
        },
        [TROUBLE_OTHER_CLUSTER] = {
                "other-cluster", HEALTH_DEGRADED,
                "A volume at {detail} belongs to another cluster{since}, and is refused.", NULL,
                "Is the right disk mounted there, and is Master= right? A store never changes its cluster.",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_OTHER_STORE] = {
                "other-store", HEALTH_DEGRADED,
                "Another store than that of volume {volume} reports with its number, from {detail}{since}, and is refused.", NULL,
                "Is the right disk mounted there? A new, empty volume needs a number that was never used.",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_OTHER_RELEASE] = {
                "other-release", HEALTH_DEGRADED,
                "Volume {volume} at {detail} runs another release of dkv and is refused{since}.", NULL,
                "Install the same release on all machines; compare: dkv-volume --version; dkvadm --version",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_REMOVED_REPORTS] = {
                "removed-reports", HEALTH_DEGRADED,
                "Volume {volume}, which was removed, still runs at {detail}{since}, and is refused.", NULL,
                "On its machine: dkvadm volume remove-config {volume}",
                .lasts_usec = LASTS_USEC,
        },
        [TROUBLE_INDEX_DISK_LOW] = {
                "index-disk-low", HEALTH_DEGRADED,
                "The disk of the index in '{detail}' is nearly full.", NULL,
                "Make room on the disk of the master's directory, or give it a larger one.",
        },
        [TROUBLE_FULL] = {
                "full", HEALTH_DEGRADED,
                "Volume {volume} is full.", "Volumes {volume} are full.",
                "Add a volume, or delete values that nobody needs.",
        },
        [TROUBLE_NEARLY_FULL] = {
                "nearly-full", HEALTH_DEGRADED,
                "Volume {volume} is nearly full.", "Volumes {volume} are nearly full.",
                "Add a volume, or delete values that nobody needs.",
        },
        [TROUBLE_TOO_FEW_ACTIVE] = {
                "too-few-active", HEALTH_DEGRADED,
                "Active volumes: {detail}.", NULL,
                "",
        },

        [TROUBLE_ROLLED_BACK] = {
                "rolled-back", HEALTH_OK, "An older index was accepted: {detail}.", NULL, "",
        },
        [TROUBLE_NOT_HEARD_OF] = {
                "not-heard-of", HEALTH_DEGRADED,
                "Volume {volume} was not heard of yet since the master's start.",
                "Volumes {volume} were not heard of yet since the master's start.", "",
        },
        [TROUBLE_WAITING] = {
                "waiting", HEALTH_OK,
                "Volume {volume} waits to be added.", "Volumes {volume} wait to be added.",
                "dkvadm volume add {volume}",
        },
        [TROUBLE_MAINTENANCE] = {
                "maintenance", HEALTH_OK,
                "Volume {volume} is in maintenance.", "Volumes {volume} are in maintenance.",
                "When the work is done: dkvadm volume maintenance {volume} off",
        },
        [TROUBLE_DRAINING] = {
                "draining", HEALTH_OK,
                "Volume {volume} is being drained.", "Volumes {volume} are being drained.", "",
        },
};
/* clang-format on */

typedef struct Entry {
        Trouble trouble;
        uint64_t noted_usec; /* monotonic, last */
} Entry;

struct Troubles {
        pthread_mutex_t lock; /* for the rest */
        Entry *entries;       /* ordered by kind, then volume */
        size_t n;
};

const char *health_level_to_string(HealthLevel level) {
        static const char *const names[_HEALTH_LEVEL_MAX] = {
                [HEALTH_OK] = "ok",
                [HEALTH_DEGRADED] = "degraded",
                [HEALTH_DOWN] = "down",
        };

        assert(level >= 0 && level < _HEALTH_LEVEL_MAX);

        return names[level];
}

const TroubleInfo *trouble_info(TroubleKind kind) {
        assert(kind >= 0 && kind < _TROUBLE_KIND_MAX);

        return table + kind;
}

/* In local time; " since 03:04:05" for what is not long ago. */
static void format_since(uint64_t since_usec, uint64_t now_usec, char *ret, size_t size) {
        bool recent = now_usec < since_usec + 12 * USEC_PER_HOUR;
        time_t seconds = (time_t) (since_usec / USEC_PER_SEC);
        struct tm tm;

        if (since_usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(ret, size, recent ? " since %H:%M:%S" : " since %Y-%m-%d %H:%M:%S", &tm) == 0)
                *ret = '\0';
}

void trouble_format(
                const char *template,
                const Trouble *trouble,
                const char *volumes,
                uint64_t now_usec,
                char ret[static TROUBLE_SENTENCE_SIZE]) {
        char since[40], number[16];
        const struct {
                const char *name, *value;
        } words[] = {
                { "{volume}", volumes ?: number },
                { "{detail}", trouble->detail },
                { "{since}", since },
        };
        const char *end = ret + TROUBLE_SENTENCE_SIZE - 1;

        format_since(trouble->since_usec, now_usec, since, sizeof(since));
        (void) snprintf(number, sizeof(number), "%" PRIu32, trouble->volume);

        while (*template && ret < end) {
                size_t skip = 0;

                for (size_t i = 0; *template == '{' && i < ELEMENTSOF(words) && skip == 0; i++)
                        if (strncmp(template, words[i].name, strlen(words[i].name)) == 0) {
                                size_t n = MIN(strlen(words[i].value), (size_t) (end - ret));

                                memcpy(ret, words[i].value, n);
                                ret += n;
                                skip = strlen(words[i].name);
                        }
                if (skip == 0)
                        *ret++ = *template;
                template += MAX(skip, (size_t) 1);
        }
        *ret = '\0';
}

int troubles_new(Troubles **ret) {
        Troubles *troubles = malloc(sizeof(*troubles));

        if (!troubles)
                return -ENOMEM;

        *troubles = (Troubles){ .lock = PTHREAD_MUTEX_INITIALIZER };
        *ret = troubles;
        return 0;
}

Troubles *troubles_free(Troubles *troubles) {
        if (!troubles)
                return NULL;

        (void) pthread_mutex_destroy(&troubles->lock);
        free(troubles->entries);
        free(troubles);
        return NULL;
}

/* An event of its beginning, or of its end. */
static void log_trouble(const Trouble *trouble, bool is_over) {
        const TroubleInfo *info = trouble_info(trouble->kind);
        char name[64], volume[sizeof("DKV_VOLUME=") + 10], sentence[TROUBLE_SENTENCE_SIZE];
        const char *const fields[] = { name, trouble->volume > 0 ? volume : NULL, NULL };

        if (info->quiet)
                return;

        (void) snprintf(name, sizeof(name), "DKV_TROUBLE=%s", info->name);
        (void) snprintf(volume, sizeof(volume), "DKV_VOLUME=%" PRIu32, trouble->volume);
        trouble_format(info->sentence, trouble, NULL, clock_realtime(), sentence);
        if (is_over)
                log_event(LOG_NOTICE, EVENT_TROUBLE_OVER, fields, "This is over: %s", sentence);
        else
                log_event(info->level == HEALTH_OK ? LOG_NOTICE : LOG_WARNING, EVENT_TROUBLE,
                          fields, "%s", sentence);
}

/* With the lock held: where it is, or where it would be. */
static size_t find_place(const Troubles *troubles, TroubleKind kind, uint32_t volume) {
        size_t i = 0;

        while (i < troubles->n && (troubles->entries[i].trouble.kind < kind ||
                                   (troubles->entries[i].trouble.kind == kind &&
                                    troubles->entries[i].trouble.volume < volume)))
                i++;
        return i;
}

/* With the lock held. */
static Entry *find(const Troubles *troubles, TroubleKind kind, uint32_t volume) {
        size_t i = find_place(troubles, kind, volume);

        if (i == troubles->n || troubles->entries[i].trouble.kind != kind ||
            troubles->entries[i].trouble.volume != volume)
                return NULL;
        return troubles->entries + i;
}

/* With the lock held: a trouble for which there is no memory is noted the next time. */
static Entry *insert(Troubles *troubles, TroubleKind kind, uint32_t volume) {
        size_t place = find_place(troubles, kind, volume);
        Entry *entries;

        if (troubles->n == TROUBLES_MAX)
                return NULL;
        entries = reallocarray(troubles->entries, troubles->n + 1, sizeof(*entries));
        if (!entries)
                return NULL;

        memmove(entries + place + 1, entries + place, (troubles->n - place) * sizeof(*entries));
        entries[place] = (Entry){
                .trouble = { .kind = kind, .volume = volume, .since_usec = clock_realtime() },
        };
        troubles->entries = entries;
        troubles->n++;
        return entries + place;
}

/* How long the character is; 0 if it is none. */
static size_t utf8_size(const char *text) {
        const uint8_t *p = (const uint8_t *) text;
        size_t n = p[0] < 0x80                    ? 1
                   : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
                   : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                   : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                  : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;

        /* Longer than it need be, a surrogate, or too large. */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
            (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;
        return n;
}

/* D-Bus and JSON take nothing else, and a key or a path may be anything, or be cut off. */
static void make_utf8(char *text) {
        while (*text) {
                size_t n = utf8_size(text);

                if (n == 0)
                        *text = '?';
                text += MAX(n, (size_t) 1);
        }
}

void troubles_note(
                Troubles *troubles,
                TroubleKind kind,
                uint32_t volume,
                const char *detail_format,
                ...) {
        char detail[TROUBLE_DETAIL_SIZE] = "";
        Entry *entry;
        bool is_new;
        va_list arguments;

        va_start(arguments, detail_format);
        (void) vsnprintf(detail, sizeof(detail), detail_format, arguments);
        va_end(arguments);
        make_utf8(detail);

        (void) pthread_mutex_lock(&troubles->lock);
        entry = find(troubles, kind, volume);
        is_new = !entry;
        if (is_new)
                entry = insert(troubles, kind, volume);
        if (entry) {
                memcpy(entry->trouble.detail, detail, sizeof(detail));
                entry->noted_usec = clock_monotonic();
                if (is_new)
                        log_trouble(&entry->trouble, false);
        }
        (void) pthread_mutex_unlock(&troubles->lock);
}

/* With the lock held. */
static void end(Troubles *troubles, Entry *entry) {
        size_t place = (size_t) (entry - troubles->entries);

        log_trouble(&entry->trouble, true);
        memmove(entry, entry + 1, (troubles->n - place - 1) * sizeof(*entry));
        troubles->n--;
}

void troubles_clear(Troubles *troubles, TroubleKind kind, uint32_t volume) {
        Entry *entry;

        (void) pthread_mutex_lock(&troubles->lock);
        entry = find(troubles, kind, volume);
        if (entry)
                end(troubles, entry);
        (void) pthread_mutex_unlock(&troubles->lock);
}

void troubles_clear_volume(Troubles *troubles, uint32_t volume) {
        (void) pthread_mutex_lock(&troubles->lock);
        for (size_t i = troubles->n; i > 0; i--) {
                const Trouble *trouble = &troubles->entries[i - 1].trouble;

                if (trouble->volume == volume && trouble_info(trouble->kind)->lasts_usec == 0)
                        end(troubles, troubles->entries + i - 1);
        }
        (void) pthread_mutex_unlock(&troubles->lock);
}

/* With the lock held: what nobody has noted for long is over. */
static void end_stale(Troubles *troubles) {
        uint64_t now = clock_monotonic();

        for (size_t i = troubles->n; i > 0; i--) {
                Entry *entry = troubles->entries + i - 1;
                uint64_t lasts = trouble_info(entry->trouble.kind)->lasts_usec;

                if (lasts > 0 && now >= entry->noted_usec + lasts)
                        end(troubles, entry);
        }
}

bool troubles_has(Troubles *troubles, TroubleKind kind, uint32_t volume) {
        bool has;

        (void) pthread_mutex_lock(&troubles->lock);
        end_stale(troubles);
        has = find(troubles, kind, volume);
        (void) pthread_mutex_unlock(&troubles->lock);
        return has;
}

int troubles_list(Troubles *troubles, Trouble **ret, size_t *ret_n) {
        Trouble *list;
        size_t n;

        (void) pthread_mutex_lock(&troubles->lock);
        end_stale(troubles);
        n = troubles->n;
        list = reallocarray(NULL, MAX(n, (size_t) 1), sizeof(*list));
        for (size_t i = 0; list && i < n; i++)
                list[i] = troubles->entries[i].trouble;
        (void) pthread_mutex_unlock(&troubles->lock);
        if (!list)
                return -ENOMEM;

        *ret = list;
        *ret_n = n;
        return 0;
}
