/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus.h"
#include "bus/writer.h"
#include "core/etag.h"
#include "core/key.h"
#include "master/bus/locate.h"
#include "master/upkeep/damage.h"

static void put_copies(Volumes *volumes, const Record *record, BusWriter *reply) {
        bus_writer_open_list(reply, "copies", "(ubs)");
        for (size_t i = 0; i < record->n_copies; i++) {
                char url[VOLUME_URL_SIZE] = "";
                bool is_up = volumes_url(volumes, record->copies[i], url) >= 0;

                bus_writer_put(reply, "(ubs)", record->copies[i], (int) is_up, url);
        }
        bus_writer_close_list(reply);
}

/* A header of HTTP may have any byte, a text on D-Bus may not. */
static void make_ascii(const char *text, char ret[static CONTENT_TYPE_MAX + 1]) {
        (void) snprintf(ret, CONTENT_TYPE_MAX + 1, "%s", text);
        for (char *p = ret; *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
}

static void put_record(Volumes *volumes, const Record *record, BusWriter *reply) {
        char etag[ETAG_SIZE], content_type[CONTENT_TYPE_MAX + 1];

        make_ascii(record->content_type, content_type);
        etag_of_checksum(&record->checksum, etag);
        bus_writer_open(reply, 'a', "{sv}");
        bus_writer_put(reply, "{sv}", "version", "t", record->revision);
        bus_writer_put(reply, "{sv}", "object", "t", record->version);
        bus_writer_put(reply, "{sv}", "size", "t", record->size);
        bus_writer_put(reply, "{sv}", "etag", "s", etag);
        bus_writer_put(reply, "{sv}", "modified", "t", record->mtime_usec);
        bus_writer_put(reply, "{sv}", "content-type", "s", content_type);
        put_copies(volumes, record, reply);
        bus_writer_close(reply);
}

/* The key as in the path of a URL, without the slash in front. */
static int find(Index *index, const char *encoded, Buffer *scratch, Record *ret) {
        char key[KEY_MAX + 1], path[KEY_PATH_SIZE];
        int r;

        if (strlen(encoded) + 1 >= sizeof(path))
                return -ENAMETOOLONG;
        (void) snprintf(path, sizeof(path), "/%s", encoded);
        r = key_from_path(path, key);
        if (r < 0)
                return r;
        r = index_get(index, key, scratch, ret);
        if (r == -EBADMSG)
                damage_log_index(key);
        return r;
}

int locate_bus_reply(Index *index, Volumes *volumes, sd_bus_message *message, sd_bus_error *error) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(message);
        _cleanup_(buffer_done) Buffer scratch = {};
        const char *key;
        Record record;
        int r;

        r = sd_bus_message_read(message, "s", &key);
        if (r < 0)
                return r;
        r = find(index, key, &scratch, &record);
        if (r == -ENOENT)
                return bus_fail(error, r, "There is no such key.");
        if (r < 0)
                return bus_fail(error, r, NULL);

        put_record(volumes, &record, &reply);
        return bus_writer_send(&reply);
}
