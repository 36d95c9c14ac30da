/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/apply/rules.h"

bool record_has_copy_on(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

bool garbage_is_deadly(uint32_t volume, uint64_t version) {
        return volume == INDEX_TOMBSTONES || (version & VERSION_TICKET);
}

bool rules_may_replace_damaged(int error, const Condition *condition) {
        return (error == -EBADMSG || error == -EPROTONOSUPPORT) && condition_is_empty(condition);
}

int rules_check_commit(const IndexCommit *commit, const Record *current, const CommitFacts *facts) {
        int r;

        /* It may have been current before, and then it was overwritten. Even so this may be a new
         * request with an old ticket, and nobody can tell. */
        if (facts->is_dead)
                return -ESTALE;

        r = condition_check(
                        &commit->condition, current ? &current->checksum : NULL,
                        current ? current->mtime_usec : 0);
        if (r < 0)
                return r;
        if (facts->is_fenced)
                return -ESTALE;
        return facts->has_room ? 0 : -ENOSPC;
}

static int drop_copy(Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume) {
                        record->copies[i] = record->copies[--record->n_copies];
                        return 0;
                }
        return -EINVAL;
}

int rules_move_copies(const IndexMove *move, Record *record) {
        for (size_t i = 0; i < move->n_drop; i++)
                if (move->drop[i] == move->add || /* it would be current and garbage */
                    drop_copy(record, move->drop[i]) < 0)
                        return -EINVAL;

        if (move->add != 0 && !record_has_copy_on(record, move->add)) {
                if (record->n_copies == COPIES_MAX)
                        return -EINVAL;
                record->copies[record->n_copies++] = move->add;
        }
        return record->n_copies > 0 ? 0 : -EINVAL;
}

SettleVerdict rules_settle(
                const Record *current, uint64_t version, uint32_t volume, uint64_t old_end) {
        bool is_old = version < old_end;

        if (!current || current->version != version)
                return is_old ? SETTLE_KEEP : SETTLE_GARBAGE;
        if (record_has_copy_on(current, volume))
                return SETTLE_CURRENT;
        return is_old ? SETTLE_ADOPT : SETTLE_SURPLUS;
}
