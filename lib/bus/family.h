/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus family: objects of one interface below one path, each with a number: PATH/1, PATH/2 and so
 * on.
 *
 * A member has a state, a struct without pointers that it keeps a copy of. When it is given a new
 * state, PropertiesChanged tells which watched properties differ from what was told last.
 * InterfacesAdded announces a new member, InterfacesRemoved one that goes.
 *
 * All of it belongs to the thread of the loop. */

#include "bus/server.h"

typedef struct BusFamily BusFamily;

/* A property whose changes are announced, and its place in the state. */
typedef struct BusWatched {
        const char *property;
        size_t offset, size;
        bool is_text; /* compared up to its end */
} BusWatched;

#define BUS_WATCHED(property, Type, field) \
        { property, offsetof(Type, field), sizeof(((Type *) NULL)->field), false }
#define BUS_WATCHED_TEXT(property, Type, field) \
        { property, offsetof(Type, field), sizeof(((Type *) NULL)->field), true }

typedef struct BusFamilyOptions {
        const char *path;      /* "/org/dkv/Master1/volume" */
        const char *interface; /* "org.dkv.Master1.Volume" */
        size_t state_size;
        const BusWatched *watched; /* ends with an empty entry */
        uint64_t interval_usec;    /* the least time between two announcements of a member; 0 for at
                                      once */
        void *userdata;

        /* Optional. Emit other signals on BUS about what was just announced: that a member is new,
         * or that its state was BEFORE and is STATE now. Return a negative errno on failure. */
        int (*on_added)(sd_bus *bus, const char *path, const void *state, void *userdata);
        int (*on_told)(sd_bus *bus,
                       const char *path,
                       const void *before,
                       const void *state,
                       void *userdata);

        /* Optional: brings the state up to date before a program looks. */
        void (*look)(uint32_t number, void *state, void *userdata);
} BusFamilyOptions;

/* The userdata of the getters and methods of the vtable. */
typedef struct BusMember {
        BusFamily *family; /* not owned */
        void *userdata;    /* of the family; not owned */
        uint32_t number;
        uint64_t told_usec; /* monotonic */
        void *told;         /* owned: the state as signals have told it */
        uint64_t state[];   /* as it is; aligned for any of them */
} BusMember;

/* For offsets in a vtable. */
#define BUS_STATE(Type, field) (offsetof(BusMember, state) + offsetof(Type, field))

/* SERVER, and the strings and tables in OPTIONS, stay the caller's. */
int bus_family_new(
                BusServer *server,
                sd_event *event,
                const BusFamilyOptions *options,
                BusFamily **ret);
BusFamily *bus_family_free(BusFamily *family);
DEFINE_CLEANUP(BusFamily *, bus_family_free);

/* Gives member NUMBER, from 1 on, this state, and makes the member if there is none. Returns 0,
 * -ENOMEM, or the error of a signal; after that one the state is in force all the same. */
int bus_family_set(BusFamily *family, uint32_t number, const void *state);

/* Announces what was held back about the member, then removes it. Does nothing if there is no such
 * member. Returns 0 or a negative errno; the member is gone in any case. */
int bus_family_remove(BusFamily *family, uint32_t number);

/* Announces what was held back about all members. Returns 0 or a negative errno. FAMILY may be
 * NULL. */
int bus_family_flush(BusFamily *family);

/* Returns NULL for none. FAMILY may be NULL. */
BusMember *bus_family_find(const BusFamily *family, uint32_t number);

/* For the callbacks of a BusObject. FAMILY may be NULL. */
int bus_family_find_path(const BusFamily *family, const char *path, void **ret_object);
int bus_family_enumerate(const BusFamily *family, char ***ret_paths);

/* The same as callbacks, for a BusFamily * at FIELD of the userdata, a TYPE. */
#define BUS_FAMILY_OBJECT(Type, field) \
        .find = bus_family_find_object, .enumerate = bus_family_enumerate_objects, \
        .offset = offsetof(Type, field)
int bus_family_find_object(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error);
int bus_family_enumerate_objects(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error);

#define BUS_PATH_SIZE 64

/* Writes the path of member NUMBER of the family at PATH; "/" for 0, which is no member. */
const char *bus_path_format(const char *path, uint32_t number, char ret[static BUS_PATH_SIZE]);

/* Returns the number of the member at MEMBER_PATH; 0 for anything else. A number has one spelling.
 */
uint32_t bus_path_parse(const char *path, const char *member_path);
