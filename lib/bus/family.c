/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "bus/family.h"

#define WATCHED_MAX   32
#define ACCURACY_USEC (USEC_PER_SEC / 100)

struct BusFamily {
        BusServer *server; /* not owned */
        BusFamilyOptions options;
        BusMember **members; /* owned; ordered by number */
        size_t n_members;
        sd_event_source *timer; /* tells what was held back */
};

const char *bus_path_format(const char *path, uint32_t number, char ret[static BUS_PATH_SIZE]) {
        if (number == 0)
                (void) snprintf(ret, BUS_PATH_SIZE, "/");
        else
                (void) snprintf(ret, BUS_PATH_SIZE, "%s/%" PRIu32, path, number);
        return ret;
}

uint32_t bus_path_parse(const char *path, const char *member_path) {
        size_t n = strlen(path);
        uint64_t number;

        if (strncmp(member_path, path, n) != 0 || member_path[n] != '/' ||
            member_path[n + 1] == '0' || parse_u64(member_path + n + 1, UINT32_MAX, &number) < 0)
                return 0;
        return (uint32_t) number;
}

/* Returns where the member is, or would be. */
static size_t find_place(const BusFamily *family, uint32_t number) {
        size_t from = 0, to = family->n_members;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (family->members[middle]->number < number)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

BusMember *bus_family_find(const BusFamily *family, uint32_t number) {
        size_t place = family ? find_place(family, number) : 0;

        if (!family || place == family->n_members || family->members[place]->number != number)
                return NULL;
        return family->members[place];
}

int bus_family_find_path(const BusFamily *family, const char *path, void **ret_object) {
        BusMember *member;

        if (!family)
                return 0;
        member = bus_family_find(family, bus_path_parse(family->options.path, path));
        if (!member)
                return 0;

        if (family->options.look)
                family->options.look(member->number, member->state, family->options.userdata);
        *ret_object = member;
        return 1;
}

static char **free_paths(char **paths) {
        for (size_t i = 0; paths && paths[i]; i++)
                free(paths[i]);
        free(paths);
        return NULL;
}
DEFINE_CLEANUP(char **, free_paths);

int bus_family_enumerate(const BusFamily *family, char ***ret_paths) {
        size_t n = family ? family->n_members : 0;
        _cleanup_(free_pathsp) char **paths = calloc(n + 1, sizeof(*paths));

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                char path[BUS_PATH_SIZE];

                paths[i] = strdup(bus_path_format(
                                family->options.path, family->members[i]->number, path));
                if (!paths[i])
                        return -ENOMEM;
        }

        *ret_paths = TAKE_PTR(paths);
        return 0;
}

int bus_family_find_object(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error) {
        return bus_family_find_path(*(BusFamily *const *) userdata, path, ret_object);
}

int bus_family_enumerate_objects(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error) {
        return bus_family_enumerate(*(BusFamily *const *) userdata, ret_paths);
}

static bool differs(const BusWatched *what, const void *a, const void *b) {
        const char *in_a = (const char *) a + what->offset, *in_b = (const char *) b + what->offset;

        return what->is_text ? strncmp(in_a, in_b, what->size) != 0
                             : memcmp(in_a, in_b, what->size) != 0;
}

/* Fills NAMES with the watched properties in which the two differ. Returns how many. */
static size_t compare(
                const BusWatched *watched,
                const void *a,
                const void *b,
                char *names[static WATCHED_MAX + 1]) {
        size_t n = 0;

        for (; watched->property; watched++)
                if (differs(watched, a, b)) {
                        assert(n < WATCHED_MAX);
                        names[n++] = (char *) watched->property;
                }
        names[n] = NULL;
        return n;
}

static int emit_changes(BusFamily *family, BusMember *member, const void *before, char **names) {
        const BusFamilyOptions *options = &family->options;
        sd_bus *bus = bus_server_bus(family->server);
        char path[BUS_PATH_SIZE];
        int r;

        if (!bus)
                return 0;

        (void) bus_path_format(options->path, member->number, path);
        r = sd_bus_emit_properties_changed_strv(bus, path, options->interface, names);
        if (r < 0 || !options->on_told)
                return r;
        return options->on_told(bus, path, before, member->told, options->userdata);
}

/* Announces how the member differs from what was told last. */
static int tell(BusFamily *family, BusMember *member, uint64_t now) {
        size_t size = family->options.state_size;
        _cleanup_free_ void *before = malloc(size);
        char *names[WATCHED_MAX + 1];
        size_t n;

        if (!before)
                return -ENOMEM;

        n = compare(family->options.watched, member->told, member->state, names);
        memcpy(before, member->told, size);
        memcpy(member->told, member->state, size);
        if (n == 0)
                return 0;

        member->told_usec = now;
        return emit_changes(family, member, before, names);
}

static bool has_news(const BusFamily *family, const BusMember *member) {
        return memcmp(member->told, member->state, family->options.state_size) != 0;
}

/* Tells what is due, and sets the timer for the rest. */
static int tell_all(BusFamily *family) {
        uint64_t now = clock_monotonic(), next = UINT64_MAX;
        int result = 0;

        for (size_t i = 0; i < family->n_members; i++) {
                BusMember *member = family->members[i];
                uint64_t due = member->told_usec + family->options.interval_usec;

                if (!has_news(family, member))
                        continue;
                if (due <= now) {
                        int r = tell(family, member, now);

                        result = MIN(result, r);
                } else
                        next = MIN(next, due);
        }

        (void) sd_event_source_set_time(family->timer, next);
        (void) sd_event_source_set_enabled(
                        family->timer, next < UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        return result;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) tell_all(userdata); /* a signal that cannot be sent is lost with the bus */
        return 0;
}

static BusMember *member_free(BusMember *member) {
        if (!member)
                return NULL;

        free(member->told);
        free(member);
        return NULL;
}
DEFINE_CLEANUP(BusMember *, member_free);

static int tell_new(BusFamily *family, const BusMember *member) {
        const BusFamilyOptions *options = &family->options;
        sd_bus *bus = bus_server_bus(family->server);
        char path[BUS_PATH_SIZE];
        int r;

        if (!bus)
                return 0;

        r = sd_bus_emit_object_added(bus, bus_path_format(options->path, member->number, path));
        if (r < 0 || !options->on_added)
                return r;
        return options->on_added(bus, path, member->state, options->userdata);
}

static int add(BusFamily *family, uint32_t number, const void *state) {
        size_t size = family->options.state_size, place = find_place(family, number);
        _cleanup_(member_freep) BusMember *member = NULL;
        BusMember **members;

        members = reallocarray(family->members, family->n_members + 1, sizeof(void *));
        if (!members)
                return -ENOMEM;
        family->members = members;
        member = calloc(1, sizeof(*member) + size);
        if (!member)
                return -ENOMEM;
        member->told = malloc(size);
        if (!member->told)
                return -ENOMEM;

        member->family = family;
        member->userdata = family->options.userdata;
        member->number = number;
        member->told_usec = clock_monotonic();
        memcpy(member->state, state, size);
        memcpy(member->told, state, size);
        memmove(members + place + 1, members + place,
                (family->n_members - place) * sizeof(*members));
        members[place] = TAKE_PTR(member);
        family->n_members++;
        return tell_new(family, members[place]);
}

int bus_family_set(BusFamily *family, uint32_t number, const void *state) {
        BusMember *member = bus_family_find(family, number);

        assert(number > 0);

        if (!member)
                return add(family, number, state);

        memcpy(member->state, state, family->options.state_size);
        return family->options.interval_usec > 0 ? tell_all(family) : tell(family, member, 0);
}

int bus_family_remove(BusFamily *family, uint32_t number) {
        sd_bus *bus = bus_server_bus(family->server);
        BusMember *member = bus_family_find(family, number);
        size_t place = find_place(family, number);
        char path[BUS_PATH_SIZE];
        int result, r = 0;

        if (!member)
                return 0;

        result = tell(family, member, clock_monotonic());
        if (bus) /* which looks at the object once more */
                r = sd_bus_emit_object_removed(
                                bus, bus_path_format(family->options.path, number, path));
        family->n_members--;
        memmove(family->members + place, family->members + place + 1,
                (family->n_members - place) * sizeof(void *));
        (void) member_free(member);
        return MIN(result, r);
}

int bus_family_flush(BusFamily *family) {
        uint64_t now = clock_monotonic();
        int result = 0;

        for (size_t i = 0; family && i < family->n_members; i++) {
                int r = tell(family, family->members[i], now);

                result = MIN(result, r);
        }
        return result;
}

int bus_family_new(
                BusServer *server,
                sd_event *event,
                const BusFamilyOptions *options,
                BusFamily **ret) {
        _cleanup_(bus_family_freep) BusFamily *family = NULL;
        int r;

        assert(options->path && options->interface && options->watched);
        assert(strlen(options->path) + sizeof("/4294967295") <= BUS_PATH_SIZE);

        family = malloc(sizeof(*family));
        if (!family)
                return -ENOMEM;

        *family = (BusFamily){ .server = server, .options = *options };
        r = sd_event_add_time(
                        event, &family->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC, on_timer,
                        family);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(family);
        return 0;
}

BusFamily *bus_family_free(BusFamily *family) {
        if (!family)
                return NULL;

        (void) sd_event_source_disable_unref(family->timer);
        for (size_t i = 0; i < family->n_members; i++)
                (void) member_free(family->members[i]);
        free(family->members);
        free(family);
        return NULL;
}
