/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/apply/applied.h"

#define APPLIED_FORMAT 1

int applied_decode(const void *data, size_t size, ConsensusApplied *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader);
        ConsensusApplied applied = {
                .index = reader_get_u64(&reader),
                .term = reader_get_u64(&reader),
                .members_index = reader_get_u64(&reader),
        };
        int r;

        if (reader_error(&reader) < 0)
                return -EBADMSG;
        if (format != APPLIED_FORMAT)
                return -EPROTONOSUPPORT;
        if (applied.index == 0 || applied.term == 0 || applied.members_index > applied.index)
                return -EBADMSG;

        r = members_decode(reader.data, reader.size, &applied.members);
        if (r >= 0)
                *ret = applied;
        return r;
}

int applied_load(const Tables *tables, ConsensusApplied *ret) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(tables->environment, APPLIED_STATE, &buffer);
        return r < 0 ? r : applied_decode(buffer.data, buffer.size, ret);
}

int applied_put(Transaction *transaction, const ConsensusApplied *applied) {
        Buffer *scratch = &transaction->scratch;

        buffer_clear(scratch);
        buffer_put_u8(scratch, APPLIED_FORMAT);
        buffer_put_u64(scratch, applied->index);
        buffer_put_u64(scratch, applied->term);
        buffer_put_u64(scratch, applied->members_index);
        members_encode(&applied->members, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, APPLIED_STATE, scratch->data, scratch->size);
}

int applied_note(ConsensusApplied *applied, uint64_t index, const Entry *entry) {
        int r;

        if (entry->type == ENTRY_MEMBERS) {
                r = members_decode(entry->data, entry->size, &applied->members);
                if (r < 0)
                        return r;
                applied->members_index = index;
        }
        applied->index = index;
        applied->term = entry->term;
        return 0;
}
