/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties: the properties of an object on the bus, read into a struct as a table says. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

/* A type that is not basic: how to read a field at the position of the message, replacing its old
 * value, and how to free it. */
typedef struct PropertyType {
        const char *signature;
        int (*read)(sd_bus_message *message, void *field); /* returns 0 or a negative errno */
        void (*done)(void *field);
} PropertyType;

typedef struct Property {
        const char *name;
        char type;                   /* s (char *, owned by the struct), b (bool), u (uint32_t),
                                      * t (uint64_t), or PROPERTY_COMPLEX */
        size_t offset;               /* of the field */
        const PropertyType *complex; /* with PROPERTY_COMPLEX */
} Property;

#define PROPERTY_COMPLEX '\0'

/* An array of u. */
typedef struct Numbers {
        uint32_t *items; /* owned by the struct */
        size_t n;
} Numbers;
extern const PropertyType property_numbers;

/* Reads an "a{sv}" at the position of MESSAGE into the fields of OBJECT that the table names.
 * Unknown properties are skipped, and fields whose property is missing stay as they are, so that
 * different releases work together. Returns 0, -EBADMSG for a property of another type, or another
 * negative errno; in any case the struct owns what was read. */
int properties_read(sd_bus_message *message, const Property table[], void *object);

/* Sets each string that is still NULL to an empty one. Returns 0 or -ENOMEM. */
int properties_complete(const Property table[], void *object);

/* Frees the strings and the complex fields. */
void properties_done(const Property table[], void *object);

/* Reads a reply of GetManagedObjects(): each object that has INTERFACE becomes an element of the
 * array *OBJECTS, whose elements have SIZE bytes, with its properties as the table says and no
 * string that is NULL. Returns 0 or a negative errno; in any case the caller frees the *N elements
 * and the array.
 */
int properties_read_objects(
                sd_bus_message *reply,
                const char *interface,
                const Property table[],
                size_t size,
                void *objects,
                size_t *n);

/* Asks for one string. START_IT lets the bus start the daemon. Returns 0, or a negative errno, with
 * RETERR_ERROR set if it is not NULL. */
int property_get_string(
                sd_bus *bus,
                const char *name,
                const char *path,
                const char *interface,
                const char *property,
                bool start_it,
                char **ret,
                sd_bus_error *reterr_error);
