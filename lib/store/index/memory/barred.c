/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/index/memory/barred.h"

#define BARRED_FORMAT 1

void barred_set(Barred *bars, const uint32_t volumes[], size_t n) {
        if (!bars->has_changed)
                memcpy(bars->was_barred, bars->is_barred, sizeof(bars->is_barred));
        bars->has_changed = true;

        memset(bars->is_barred, 0, sizeof(bars->is_barred));
        for (size_t i = 0; i < n; i++)
                bars->is_barred[volumes[i]] = true;
}

void barred_keep(Barred *bars) {
        bars->has_changed = false;
}

void barred_undo(Barred *bars) {
        if (bars->has_changed)
                memcpy(bars->is_barred, bars->was_barred, sizeof(bars->is_barred));
        bars->has_changed = false;
}

bool barred_has(const Barred *bars, uint32_t volume) {
        return volume <= VOLUME_MAX && bars->is_barred[volume];
}

void barred_encode(const uint32_t volumes[], size_t n, Buffer *buffer) {
        buffer_put_u8(buffer, BARRED_FORMAT);
        for (size_t i = 0; i < n; i++)
                buffer_put_u32(buffer, volumes[i]);
}

int barred_decode(Barred *bars, const void *data, size_t size) {
        Reader reader = READER(data, size);

        if (reader_get_u8(&reader) != BARRED_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;

        memset(bars, 0, sizeof(*bars));
        while (reader.size > 0) {
                uint32_t volume = reader_get_u32(&reader);

                if (reader_error(&reader) < 0 || volume > VOLUME_MAX)
                        return -EBADMSG;
                bars->is_barred[volume] = true;
        }
        return 0;
}
