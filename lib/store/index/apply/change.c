/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/apply/change.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/rules.h"

static bool may_replace(const Transaction *transaction, int error, const Condition *condition) {
        return transaction->error >= 0 && rules_may_replace_damaged(error, condition);
}

static bool names_fenced(const Tables *tables, const Record *record) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (fenced_has(&tables->fences, record->copies[i]))
                        return true;
        return false;
}

/* OLD is NULL if there is no such key, or if its record cannot be read: then its size, too, is
 * unknown. */
static int replace(Transaction *transaction, IndexCommit *commit, const Record *old, bool exists) {
        Record record = commit->record;
        int r;

        r = old ? garbage_add_copies(transaction, old, commit->garbage_due_usec) : 0;
        if (r < 0)
                return r;

        transaction->counters[COUNTER_KEYS] += !exists;
        transaction->counters[COUNTER_BYTES] += (int64_t) (record.size - (old ? old->size : 0));
        commit->created = record.created = !exists;
        commit->revision = record.revision = tables_next_revision(transaction);
        return tables_put(transaction, commit->key, &record);
}

/* This commit came before, and its answer was lost; or somebody has used the ticket twice: then the
 * copies are those of the first, and stay. Others, which the record does not name or does not name
 * any more, would stay as well if they were not garbage. */
static int repeat(Transaction *transaction, IndexCommit *commit, const Record *current) {
        const Record *record = &commit->record;
        int r = 0;

        for (size_t i = 0; i < record->n_copies && r >= 0; i++)
                if (!record_has_copy_on(current, record->copies[i]))
                        r = surplus_add(transaction, record->copies[i], commit->garbage_due_usec,
                                        record->version);
        if (r < 0)
                return r;

        if (!checksum_equal(&current->checksum, &record->checksum))
                return -ESTALE;

        commit->created = current->created;
        commit->revision = current->revision;
        return 0;
}

int apply_commit(IndexRequest *request, Transaction *transaction) {
        IndexCommit *commit = CONTAINER_OF(request, IndexCommit, request);
        Tables *tables = tables_of(transaction);
        Record found, *current;
        int r, verdict;

        commit->created = false;
        commit->revision = 0;

        r = tables_get(transaction, commit->key, &found);
        if (r < 0 && !may_replace(transaction, r, &commit->condition))
                return r;
        if (r > 0 && found.version == commit->record.version)
                return repeat(transaction, commit, &found);

        current = r > 0 ? &found : NULL;
        verdict = rules_check_commit(
                        commit, current,
                        &(CommitFacts){
                                        .is_dead = dead_contains(
                                                        &tables->dead, commit->record.version),
                                        .is_fenced = names_fenced(tables, &commit->record),
                                        .has_room = request->has_room,
                        });
        if (verdict >= 0)
                return replace(transaction, commit, current, r != 0);

        r = garbage_add_copies(transaction, &commit->record, commit->garbage_due_usec);
        return r < 0 ? r : verdict;
}

int apply_delete(IndexRequest *request, Transaction *transaction) {
        IndexDelete *deletion = CONTAINER_OF(request, IndexDelete, request);
        Record found, *current;
        int r, exists;

        exists = tables_get(transaction, deletion->key, &found);
        if (exists < 0 && !may_replace(transaction, exists, &deletion->condition))
                return exists;
        current = exists > 0 ? &found : NULL;

        r = condition_check(
                        &deletion->condition, current ? &current->checksum : NULL,
                        current ? current->mtime_usec : 0);
        if (r < 0)
                return r;
        if (exists == 0)
                return -ENOENT;

        if (current) {
                r = garbage_add_copies(transaction, current, deletion->garbage_due_usec);
                if (r < 0)
                        return r;
        }

        (void) tables_next_revision(transaction);
        transaction->counters[COUNTER_KEYS]--;
        transaction->counters[COUNTER_BYTES] -= (int64_t) (current ? current->size : 0);
        return tables_delete(transaction, deletion->key);
}

int apply_set(IndexRequest *request, Transaction *transaction) {
        const IndexSet *set = CONTAINER_OF(request, IndexSet, request);

        return transaction_set_state(transaction, set->name, set->data, set->size);
}
