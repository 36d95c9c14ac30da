/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus.h"
#include "master/bus/locate.h"
#include "master/master.h"
#include "master/upkeep/damage.h"

static int append_copies(Master *master, const Record *record, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        r = r < 0 ? r : sd_bus_message_append(reply, "s", "copies");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'v', "a(ubs)");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "(ubs)");
        for (size_t i = 0; i < record->n_copies && r >= 0; i++) {
                char url[VOLUME_URL_SIZE] = "";
                int up = volumes_url(master->volumes, record->copies[i], url);

                r = sd_bus_message_append(reply, "(ubs)", record->copies[i], up >= 0, url);
        }
        for (size_t depth = 0; depth < 3 && r >= 0; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

/* HTTP lets any byte through in a header, D-Bus does not. */
static void make_ascii(const char *text, char ret[static CONTENT_TYPE_MAX + 1]) {
        (void) snprintf(ret, CONTENT_TYPE_MAX + 1, "%s", text);
        for (char *p = ret; *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
}

static int append_record(Master *master, const Record *record, sd_bus_message *reply) {
        char etag[ETAG_SIZE], content_type[CONTENT_TYPE_MAX + 1];
        int r;

        make_ascii(record->content_type, content_type);
        checksum_to_etag(&record->checksum, etag);
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "version", "t", record->revision);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "object", "t", record->version);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "size", "t", record->size);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "etag", "s", etag);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "modified", "t", record->mtime_usec);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "content-type", "s", content_type);
        r = r < 0 ? r : append_copies(master, record, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* The key as in the path of a URL, without the slash in front. */
static int find(Master *master, const char *encoded, Buffer *scratch, Record *ret) {
        char key[KEY_MAX + 1], path[KEY_PATH_SIZE];
        int r;

        if (strlen(encoded) + 1 >= sizeof(path))
                return -ENAMETOOLONG;
        (void) snprintf(path, sizeof(path), "/%s", encoded);
        r = key_from_path(path, key);
        if (r < 0)
                return r;
        r = index_get(master->index, key, scratch, ret);
        if (r == -EBADMSG)
                damage_log_index(key);
        return r;
}

int locate_bus_reply(Master *master, sd_bus_message *message, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(buffer_done) Buffer scratch = {};
        const char *key;
        Record record;
        int r;

        r = sd_bus_message_read(message, "s", &key);
        if (r < 0)
                return r;
        r = find(master, key, &scratch, &record);
        if (r < 0)
                return bus_fail(error, r, NULL);

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = append_record(master, &record, reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}
