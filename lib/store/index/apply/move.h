/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Moves of copies, and the volumes that no commit may name: how their requests are applied. */

#include "store/index/apply/tables.h"
#include "store/index/request.h"

int apply_move(IndexRequest *request, Transaction *transaction);
int apply_fences(IndexRequest *request, Transaction *transaction);
