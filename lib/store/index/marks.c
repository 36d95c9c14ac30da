/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/marks.h"

#define MARKS_FORMAT 1

void marks_raise(Marks *marks, uint32_t volume, uint64_t version) {
        if (volume > VOLUME_MAX || marks->now[volume] >= version)
                return;

        if (marks->now[volume] == marks_get(marks, volume))
                marks->raised[marks->n_raised++] = (uint16_t) volume;
        marks->now[volume] = version;
        marks->highest = MAX(marks->highest, volume);
}

bool marks_have_changed(const Marks *marks) {
        return marks->n_raised > 0;
}

void marks_keep(Marks *marks) {
        while (marks->n_raised > 0) {
                uint32_t volume = marks->raised[--marks->n_raised];

                __atomic_store_n(marks->committed + volume, marks->now[volume], __ATOMIC_RELEASE);
        }
}

void marks_undo(Marks *marks) {
        while (marks->n_raised > 0) {
                uint32_t volume = marks->raised[--marks->n_raised];

                marks->now[volume] = marks->committed[volume];
        }
}

uint64_t marks_get(const Marks *marks, uint32_t volume) {
        return volume <= VOLUME_MAX ? __atomic_load_n(marks->committed + volume, __ATOMIC_ACQUIRE)
                                    : 0;
}

void marks_encode(const Marks *marks, Buffer *buffer) {
        buffer_put_u8(buffer, MARKS_FORMAT);
        buffer_put_u64(buffer, marks->changed_usec);
        for (uint32_t volume = 0; volume <= marks->highest; volume++)
                if (marks->now[volume] > 0) {
                        buffer_put_u32(buffer, volume);
                        buffer_put_u64(buffer, marks->now[volume]);
                }
}

int marks_decode(Marks *marks, const void *data, size_t size) {
        Reader reader = READER(data, size);

        if (reader_get_u8(&reader) != MARKS_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;

        marks->changed_usec = reader_get_u64(&reader);
        while (reader.size > 0 && reader_error(&reader) == 0) {
                uint32_t volume = reader_get_u32(&reader);
                uint64_t version = reader_get_u64(&reader);

                if (reader_error(&reader) < 0 || volume > VOLUME_MAX)
                        return -EBADMSG;
                marks_raise(marks, volume, version);
        }
        marks_keep(marks);
        return reader_end(&reader);
}
