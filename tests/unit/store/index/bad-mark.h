/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bad mark: damage of the table in which damage is noted. */

#include "store/index/apply/damage.h"
#include "store/index/index-fixture.h"

static inline int apply_bad_mark(Operation *operation, Transaction *transaction) {
        const DamageKey key = damage_key(2, 3);

        return transaction_put(
                        transaction, tables_of(transaction)->damages, &key, sizeof(key), "?", 1);
}

/* The mark of a copy that cannot be decoded. */
static inline void put_bad_mark(Index *index) {
        Operation put = { .apply = apply_bad_mark };

        assert_int_equal(environment_run(index->tables.environment, &put), 0);
}
