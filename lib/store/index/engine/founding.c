/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Founding: from a master alone to the first member of a group, and back. */

#include <errno.h>
#include <string.h>

#include "store/index/engine/index-internal.h"

/* No log has this entry. So it is not 0: a member whose log is empty has that one. */
#define FIRST_ENTRY 1

typedef struct Founding {
        Operation operation;
        Members members;
} Founding;

/* Returns 1, 0, or a negative errno. */
static int find_applied(Transaction *transaction) {
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, APPLIED_STATE,
                        strlen(APPLIED_STATE), &transaction->scratch);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int apply_found(Operation *operation, Transaction *transaction) {
        const Founding *founding = CONTAINER_OF(operation, Founding, operation);
        ConsensusApplied applied = {
                .index = FIRST_ENTRY,
                .members_index = FIRST_ENTRY,
                .members = founding->members,
        };
        IndexIdentity identity;
        int r;

        r = find_applied(transaction);
        if (r != 0)
                return r < 0 ? r : -EEXIST;
        r = term_get(transaction, &identity);
        if (r < 0)
                return transaction_fail(transaction, r);

        applied.term = identity.term;
        return applied_put(transaction, &applied);
}

/* Whether they are what a log could have, and can be reached. */
static int check_members(const Members *members) {
        _cleanup_(buffer_done) Buffer encoded = {};
        Members decoded;
        int r;

        members_encode(members, &encoded);
        r = buffer_error(&encoded);
        if (r < 0)
                return r;
        if (members_decode(encoded.data, encoded.size, &decoded) < 0)
                return -EINVAL;
        for (size_t i = 0; i < members->n; i++)
                if (members->member[i].url[0] == '\0')
                        return -EINVAL;
        return 0;
}

int index_found_group(Index *index, const Members *members) {
        Founding founding = { .operation.apply = apply_found, .members = *members };
        int r;

        assert(!index->follow);

        r = check_members(members);
        if (r < 0)
                return r;
        return MIN(environment_run(index->tables.environment, &founding.operation), 0);
}

static int apply_dissolve(Operation *operation, Transaction *transaction) {
        int r;

        r = find_applied(transaction);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        return transaction_set_state(transaction, APPLIED_STATE, NULL, 0);
}

int index_dissolve_group(Index *index) {
        Operation dissolve = { .apply = apply_dissolve };

        return MIN(environment_run(index->tables.environment, &dissolve), 0);
}
