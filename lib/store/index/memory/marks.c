/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/memory/marks.h"

#define MARKS_FORMAT 1

void marks_raise(Marks *marks, uint32_t volume, uint64_t version, uint64_t now_usec) {
        if (volume > VOLUME_MAX || marks->now[volume] >= version)
                return;

        if (marks->now[volume] == marks_get(marks, volume))
                marks->raised[marks->n_raised++] = (uint16_t) volume;
        marks->now[volume] = version;
        marks->highest = MAX(marks->highest, volume);
        marks->now_changed_usec = now_usec;
}

bool marks_have_changed(const Marks *marks) {
        return marks->n_raised > 0;
}

void marks_keep(Marks *marks) {
        while (marks->n_raised > 0) {
                uint32_t volume = marks->raised[--marks->n_raised];

                atomic_store(marks->committed + volume, marks->now[volume]);
        }
        atomic_store(&marks->changed_usec, marks->now_changed_usec);
}

void marks_undo(Marks *marks) {
        while (marks->n_raised > 0) {
                uint32_t volume = marks->raised[--marks->n_raised];

                marks->now[volume] = atomic_load(marks->committed + volume);
        }
        marks->now_changed_usec = atomic_load(&marks->changed_usec);
}

uint64_t marks_get(const Marks *marks, uint32_t volume) {
        return volume <= VOLUME_MAX ? atomic_load(marks->committed + volume) : 0;
}

void marks_encode(const Marks *marks, Buffer *buffer) {
        buffer_put_u8(buffer, MARKS_FORMAT);
        buffer_put_u64(buffer, marks->now_changed_usec);
        for (uint32_t volume = 0; volume <= marks->highest; volume++)
                if (marks->now[volume] > 0) {
                        buffer_put_u32(buffer, volume);
                        buffer_put_u64(buffer, marks->now[volume]);
                }
}

int marks_decode(Marks *marks, const void *data, size_t size) {
        Reader reader = READER(data, size);
        uint64_t changed_usec;

        if (reader_get_u8(&reader) != MARKS_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;

        changed_usec = reader_get_u64(&reader);
        while (reader.size > 0 && reader_error(&reader) == 0) {
                uint32_t volume = reader_get_u32(&reader);
                uint64_t version = reader_get_u64(&reader);

                if (reader_error(&reader) < 0 || volume > VOLUME_MAX)
                        return -EBADMSG;
                marks_raise(marks, volume, version, changed_usec);
        }
        marks->now_changed_usec = changed_usec;
        marks_keep(marks);
        return reader_end(&reader);
}
