/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/object/reach.h"

#define REACH_FORMAT 1

void reach_count(ReachState *state, uint64_t version) {
        state->now.version = MAX(state->now.version, version);
        state->now.objects++;
}

bool reach_hear(ReachState *state, uint64_t revision) {
        uint64_t heard = __atomic_load_n(&state->heard, __ATOMIC_RELAXED);

        while (heard < revision)
                if (__atomic_compare_exchange_n(
                                    &state->heard, &heard, revision, true, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
                        return true;
        return false;
}

bool reach_has_changed(ReachState *state) {
        const Reach *now = &state->now, *before = &state->committed;

        state->now.revision = MAX(
                        state->now.revision, __atomic_load_n(&state->heard, __ATOMIC_RELAXED));
        return now->version != before->version || now->revision != before->revision ||
               now->objects != before->objects;
}

void reach_keep(ReachState *state) {
        state->committed = state->now;
}

void reach_undo(ReachState *state) {
        state->now = state->committed;
}

void reach_show(ReachState *state) {
        const Reach *reach = &state->committed;

        __atomic_store_n(&state->shown.version, reach->version, __ATOMIC_RELAXED);
        __atomic_store_n(&state->shown.revision, reach->revision, __ATOMIC_RELAXED);
        __atomic_store_n(&state->shown.objects, reach->objects, __ATOMIC_RELAXED);
}

Reach reach_shown(const ReachState *state) {
        return (Reach){
                .version = __atomic_load_n(&state->shown.version, __ATOMIC_RELAXED),
                .revision = __atomic_load_n(&state->shown.revision, __ATOMIC_RELAXED),
                .objects = __atomic_load_n(&state->shown.objects, __ATOMIC_RELAXED),
        };
}

void reach_encode(const Reach *reach, Buffer *buffer) {
        buffer_put_u8(buffer, REACH_FORMAT);
        buffer_put_u64(buffer, reach->version);
        buffer_put_u64(buffer, reach->revision);
        buffer_put_u64(buffer, reach->objects);
}

int reach_decode(const void *data, size_t size, Reach *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader);
        Reach reach;

        reach.version = reader_get_u64(&reader);
        reach.revision = reader_get_u64(&reader);
        reach.objects = reader_get_u64(&reader);
        if (reader_error(&reader) >= 0 && format != REACH_FORMAT)
                return -EPROTONOSUPPORT;
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        *ret = reach;
        return 0;
}
