/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bus/bus.h"
#include "frame/properties.h"

static const Property *find(const Property table[], const char *name) {
        for (const Property *property = table; property->name; property++)
                if (strcmp(property->name, name) == 0)
                        return property;

        return NULL;
}

static const char *signature_of(const Property *property, char single[static 2]) {
        if (property->complex)
                return property->complex->signature;

        single[0] = property->type;
        single[1] = '\0';
        return single;
}

static int read_numbers(sd_bus_message *message, void *userdata) {
        Numbers *field = userdata;
        const void *items;
        size_t size;
        uint32_t *copy;
        int r;

        r = sd_bus_message_read_array(message, 'u', &items, &size);
        if (r < 0)
                return r;
        copy = malloc(size ?: 1);
        if (!copy)
                return -ENOMEM;

        if (size > 0)
                memcpy(copy, items, size);
        free(field->items);
        *field = (Numbers){ .items = copy, .n = size / sizeof(*copy) };
        return 0;
}

static void numbers_done(void *userdata) {
        Numbers *field = userdata;

        free(field->items);
        *field = (Numbers){};
}

const PropertyType property_numbers = { "au", read_numbers, numbers_done };

static int read_value(sd_bus_message *message, const Property *property, void *field) {
        const char *text;
        int truth, r;

        switch (property->type) {
        case 's':
                r = sd_bus_message_read(message, "s", &text);
                if (r < 0)
                        return r;

                free(*(char **) field);
                *(char **) field = strdup(text);
                return *(char **) field ? 0 : -ENOMEM;
        case 'b':
                r = sd_bus_message_read(message, "b", &truth);
                if (r >= 0)
                        *(bool *) field = truth;
                return r;
        case PROPERTY_COMPLEX:
                return property->complex->read(message, field);
        default:
                return sd_bus_message_read_basic(message, property->type, field);
        }
}

typedef struct PropertiesReader {
        const Property *table;
        void *object;
} PropertiesReader;

static int on_property(sd_bus_message *message, void *userdata) {
        PropertiesReader *reader = userdata;
        const Property *property;
        const char *name, *contents;
        char single[2];
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
                return r;

        property = find(reader->table, name);
        if (!property)
                return sd_bus_message_skip(message, "v");

        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, signature_of(property, single)) != 0)
                return -EBADMSG;

        r = sd_bus_message_enter_container(message, 'v', contents);
        if (r < 0)
                return r;
        r = read_value(message, property, (char *) reader->object + property->offset);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(message);
}

int properties_read(sd_bus_message *message, const Property table[], void *object) {
        PropertiesReader reader = { .table = table, .object = object };

        return bus_read_entries(message, "sv", on_property, &reader);
}

int properties_complete(const Property table[], void *object) {
        for (const Property *property = table; property->name; property++) {
                char **field = (char **) ((char *) object + property->offset);

                if (property->type != 's' || *field)
                        continue;
                *field = strdup("");
                if (!*field)
                        return -ENOMEM;
        }

        return 0;
}

void properties_done(const Property table[], void *object) {
        for (const Property *property = table; property->name; property++) {
                void *field = (char *) object + property->offset;

                if (property->type == 's') {
                        free(*(char **) field);
                        *(char **) field = NULL;
                } else if (property->complex)
                        property->complex->done(field);
        }
}

/* The objects of a reply, while they are read. */
typedef struct ObjectsReader {
        const char *interface;
        const Property *table;
        size_t size;
        uint8_t **objects; /* the caller's array */
        size_t *n;
        bool is_wanted; /* the object that is being read has the interface */
} ObjectsReader;

static int on_interface(sd_bus_message *message, void *userdata) {
        ObjectsReader *reader = userdata;
        const char *interface;
        int r;

        r = sd_bus_message_read(message, "s", &interface);
        if (r < 0)
                return r;
        if (strcmp(interface, reader->interface) != 0)
                return sd_bus_message_skip(message, "a{sv}");

        reader->is_wanted = true;
        return properties_read(
                        message, reader->table, *reader->objects + *reader->n * reader->size);
}

static int on_object(sd_bus_message *message, void *userdata) {
        ObjectsReader *reader = userdata;
        uint8_t *objects, *object;
        int r;

        objects = reallocarray(*reader->objects, *reader->n + 1, reader->size);
        if (!objects)
                return -ENOMEM;
        *reader->objects = objects;
        object = objects + *reader->n * reader->size;
        memset(object, 0, reader->size);
        reader->is_wanted = false;

        r = sd_bus_message_skip(message, "o");
        if (r < 0)
                return r;
        r = bus_read_entries(message, "sa{sv}", on_interface, reader);
        if (r >= 0 && reader->is_wanted)
                r = properties_complete(reader->table, object);
        if (r < 0)
                properties_done(reader->table, object);
        else
                *reader->n += reader->is_wanted;
        return r;
}

int properties_read_objects(
                sd_bus_message *reply,
                const char *interface,
                const Property table[],
                size_t size,
                void *objects,
                size_t *n) {
        ObjectsReader reader = {
                .interface = interface,
                .table = table,
                .size = size,
                .objects = objects,
                .n = n,
        };

        return bus_read_entries(reply, "oa{sa{sv}}", on_object, &reader);
}

int property_get_string(
                sd_bus *bus,
                const char *name,
                const char *path,
                const char *interface,
                const char *property,
                bool start_it,
                char **ret,
                sd_bus_error *reterr_error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *text;
        int r;

        r = sd_bus_message_new_method_call(
                        bus, &call, name, path, "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", interface, property);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, start_it);
        if (r >= 0)
                r = sd_bus_call(bus, call, 0, reterr_error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "s", &text);
        if (r < 0)
                return r;

        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}
