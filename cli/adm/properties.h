/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties: those of an object on the bus, read into a struct by a table. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct Property {
        const char *name;
        char type;     /* s (char *, owned by the struct), b (bool), u (uint32_t), t (uint64_t), or
                        * PROPERTY_NUMBERS or PROPERTY_TROUBLES */
        size_t offset; /* of the field */
} Property;

/* An array of u. */
#define PROPERTY_NUMBERS 'a'
typedef struct Numbers {
        uint32_t *items; /* owned by the struct */
        size_t n;
} Numbers;

/* A TroublesView. */
#define PROPERTY_TROUBLES '('

/* Reads an "a{sv}", at which MESSAGE stands, into the fields of OBJECT that the table names. What
 * the table does not know is skipped, what the message does not have is left alone, so that
 * programs of different releases get along. Returns 0, -EBADMSG for a property of another type, or
 * another negative errno; the strings and numbers that were read are the struct's in any case. */
int properties_read(sd_bus_message *message, const Property table[], void *object);

/* Sets each string that is still NULL to an empty one. Returns 0 or -ENOMEM. */
int properties_complete(const Property table[], void *object);

/* Frees the strings, numbers and troubles. */
void properties_done(const Property table[], void *object);

/* Asks for one text. START_IT lets the bus start the daemon. Returns 0, or a negative errno, with
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
