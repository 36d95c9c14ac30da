/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus: what D-Bus objects are made of: tables of them, their introspection data, errors, options.
 * How a daemon gets to a bus is in bus/server.h. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

/* One interface of an object, or of a family of objects below PATH if there is a find(). A table of
 * them ends with an empty entry. */
typedef struct BusObject {
        const char *path;
        const char *interface;
        const sd_bus_vtable *vtable;
        sd_bus_object_find_t find; /* gives the userdata of a member of the family */
        sd_bus_node_enumerator_t enumerate;
        bool manages;  /* org.freedesktop.DBus.ObjectManager for what is at PATH and below */
        size_t offset; /* of the object's own userdata in the userdata of bus_add_objects() */
} BusObject;

/* Begins to connect to a bus, "system" or a D-Bus address, and goes on in the background. */
int bus_open(const char *address, sd_bus **ret);

/* Registers OBJECTS, which must live as long as BUS. */
int bus_add_objects(sd_bus *bus, const BusObject objects[], void *userdata);

/* Prints the introspection data of the object at PATH, on stdout. Needs no bus and no daemon; any
 * path below a family is taken for a member. Returns 0, -ENOENT if there is no such object, or
 * another negative errno. */
int bus_print_introspection(const BusObject objects[], const char *path);

/* Sets ERROR to what the error table says of R, with a sentence of the caller's own unless FORMAT
 * is NULL. Returns a negative errno for a method handler to return. */
int bus_fail(sd_bus_error *error, int r, const char *format, ...) _printf_(3, 4);

/* Reads an array of dictionary entries of type CONTENTS ("sv"): calls on_entry() with MESSAGE at
 * each entry. on_entry() reads all of the entry, or returns a negative errno, which ends the
 * reading. */
int bus_read_entries(
                sd_bus_message *message,
                const char *contents,
                int (*on_entry)(sd_bus_message *message, void *userdata),
                void *userdata);

/* An entry of an a{sv}. */
typedef struct BusOption {
        const char *name;
        char type;   /* 's', 'u', 't' or 'b' */
        void *value; /* const char * (which points into the message), uint32_t, uint64_t or int */
        bool is_set; /* output */
} BusOption;

/* Reads an a{sv} of OPTIONS, a table that ends with an empty entry; options that are not given keep
 * their value. An unknown name or a wrong type is an error, and ERROR names it. Returns 0 or a
 * negative errno. */
int bus_read_options(sd_bus_message *message, BusOption options[], sd_bus_error *error);

/* Makes two ends of a connection without a bus, on EVENT, for what needs no bus and for tests. Each
 * knows the uid of the other. */
int bus_new_pair(sd_event *event, sd_bus **ret_server, sd_bus **ret_client);

/* Sends CALL and runs the event loop of BUS until there is a reply, which may be an error. */
int bus_run_call(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret_reply);
