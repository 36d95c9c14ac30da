/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Collection: how requests about copies without a record are applied, from the question of a
 * volume to the last trace. */

#include "store/index/apply/tables.h"
#include "store/index/request.h"

int apply_settle(IndexRequest *request, Transaction *transaction);
int apply_collected(IndexRequest *request, Transaction *transaction);
