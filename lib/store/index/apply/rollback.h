/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rollback, as it is stored and applied. See store/index/rollback.h. */

#include "store/index/apply/tables.h"
#include "store/index/request.h"

/* Reads what is known about it into memory. Returns 0 or a negative errno. */
int rollback_load(Tables *tables);

/* Counts a copy that the index does not know and that stays. */
int rollback_keep_unknown(Transaction *transaction);

int apply_accept(IndexRequest *request, Transaction *transaction);
