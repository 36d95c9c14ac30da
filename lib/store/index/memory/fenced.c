/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/index/memory/fenced.h"

#define FENCED_FORMAT 1

void fenced_set(Fenced *fences, const uint32_t volumes[], size_t n) {
        if (!fences->has_changed)
                memcpy(fences->was_fenced, fences->is_fenced, sizeof(fences->is_fenced));
        fences->has_changed = true;

        memset(fences->is_fenced, 0, sizeof(fences->is_fenced));
        for (size_t i = 0; i < n; i++)
                fences->is_fenced[volumes[i]] = true;
}

void fenced_keep(Fenced *fences) {
        fences->has_changed = false;
}

void fenced_undo(Fenced *fences) {
        if (fences->has_changed)
                memcpy(fences->is_fenced, fences->was_fenced, sizeof(fences->is_fenced));
        fences->has_changed = false;
}

bool fenced_has(const Fenced *fences, uint32_t volume) {
        return volume <= VOLUME_MAX && fences->is_fenced[volume];
}

void fenced_encode(const uint32_t volumes[], size_t n, Buffer *buffer) {
        buffer_put_u8(buffer, FENCED_FORMAT);
        for (size_t i = 0; i < n; i++)
                buffer_put_u32(buffer, volumes[i]);
}

int fenced_decode(Fenced *fences, const void *data, size_t size) {
        Reader reader = READER(data, size);

        if (reader_get_u8(&reader) != FENCED_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;

        memset(fences, 0, sizeof(*fences));
        while (reader.size > 0) {
                uint32_t volume = reader_get_u32(&reader);

                if (reader_error(&reader) < 0 || volume > VOLUME_MAX)
                        return -EBADMSG;
                fences->is_fenced[volume] = true;
        }
        return 0;
}
