/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/object/reach.h"

#define REACH_FORMAT 1

void reach_count(ReachState *state, uint64_t version) {
        state->now.version = MAX(state->now.version, version);
        state->now.objects++;
}

bool reach_hear(ReachState *state, uint64_t revision) {
        uint64_t heard = atomic_load_explicit(&state->heard, memory_order_relaxed);

        while (heard < revision)
                if (atomic_compare_exchange_weak_explicit(
                                    &state->heard, &heard, revision, memory_order_relaxed,
                                    memory_order_relaxed))
                        return true;
        return false;
}

bool reach_take(ReachState *state) {
        uint64_t heard = atomic_load_explicit(&state->heard, memory_order_relaxed);

        if (heard <= state->now.revision)
                return false;

        state->now.revision = heard;
        return true;
}

bool reach_has_changed(const ReachState *state) {
        const Reach *now = &state->now, *before = &state->committed;

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

        atomic_store_explicit(&state->shown.version, reach->version, memory_order_relaxed);
        atomic_store_explicit(&state->shown.revision, reach->revision, memory_order_relaxed);
        atomic_store_explicit(&state->shown.objects, reach->objects, memory_order_relaxed);
}

Reach reach_shown(const ReachState *state) {
        return (Reach){
                .version = atomic_load_explicit(&state->shown.version, memory_order_relaxed),
                .revision = atomic_load_explicit(&state->shown.revision, memory_order_relaxed),
                .objects = atomic_load_explicit(&state->shown.objects, memory_order_relaxed),
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
