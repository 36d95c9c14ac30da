/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/apply/apply.h"
#include "store/index/apply/change.h"
#include "store/index/apply/collect.h"
#include "store/index/apply/damage.h"
#include "store/index/apply/move.h"
#include "store/index/apply/rollback.h"
#include "store/index/apply/term.h"

static int (*const appliers[_REQUEST_TYPE_MAX])(IndexRequest *, Transaction *) = {
        [REQUEST_COMMIT] = apply_commit,
        [REQUEST_DELETE] = apply_delete,
        [REQUEST_SETTLE] = apply_settle,
        [REQUEST_COLLECTED] = apply_collected,
        [REQUEST_SET] = apply_set,
        [REQUEST_MOVE] = apply_move,
        [REQUEST_FENCES] = apply_fences,
        [REQUEST_DAMAGE] = apply_damage,
        [REQUEST_RESERVE] = apply_reserve,
        [REQUEST_END_VERSIONS] = apply_end_versions,
        [REQUEST_BEGIN_TERM] = apply_begin_term,
        [REQUEST_ACCEPT] = apply_accept,
};

int apply_request(IndexRequest *request, Transaction *transaction) {
        Tables *tables = tables_of(transaction);
        int r;

        durable_note(&tables->durable);
        tables->now_usec = request->now_usec;
        r = appliers[request->type](request, transaction);
        tables_release(tables);
        return r;
}
