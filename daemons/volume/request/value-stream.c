/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "store/object/reader.h"
#include "volume/request/value-stream.h"

typedef struct Sending {
        Damage *damage; /* not owned */
        ObjectReader *reader;
        uint64_t version;
        char key[];
} Sending;

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Sending *sending = userdata;
        ssize_t n;

        n = object_reader_read(sending->reader, data, size);
        if (n < 0)
                (void) damage_found(sending->damage, sending->key, sending->version, (int) n);
        return n;
}

static void on_closed(void *userdata) {
        Sending *sending = userdata;

        (void) object_reader_free(sending->reader);
        free(sending);
}

static int open_stream(ValueStream *stream, uint64_t offset, uint64_t size, HttpStream *ret) {
        const Object *object = stream->object;
        size_t key_size = strlen(object->key) + 1;
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        Sending *sending;
        int r;

        r = object_reader_new(object, TAKE_FD(stream->fd), offset, size, &reader);
        if (r < 0)
                return r;
        if (object_reader_is_blind(reader) && !stream->is_verified)
                return -EINPROGRESS;
        r = object_reader_begin(reader);
        if (r < 0)
                return r;

        sending = malloc(sizeof(*sending) + key_size);
        if (!sending)
                return -ENOMEM;
        *sending = (Sending){
                .damage = stream->damage,
                .reader = TAKE_PTR(reader),
                .version = object->record.version,
        };
        memcpy(sending->key, object->key, key_size);
        *ret = (HttpStream){ .read = on_read, .closed = on_closed, .userdata = sending };
        return 0;
}

int value_stream_open(void *userdata, uint64_t offset, uint64_t size, HttpStream *ret) {
        ValueStream *stream = userdata;

        stream->error = open_stream(stream, offset, size, ret);
        return stream->error;
}
