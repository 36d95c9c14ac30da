/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes: how writes and deletions of keys, and of named blobs, are applied. */

#include "store/index/apply/tables.h"
#include "store/index/request.h"

int apply_commit(IndexRequest *request, Transaction *transaction);
int apply_delete(IndexRequest *request, Transaction *transaction);
int apply_set(IndexRequest *request, Transaction *transaction);
