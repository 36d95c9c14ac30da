/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Apply: from a request to the function that carries it out. */

#include "store/index/apply/tables.h"
#include "store/index/request.h"

/* Within a transaction. Returns 0, or a negative errno with which it has changed nothing but what
 * is said of the request; an error of the database sticks in the transaction. */
int apply_request(IndexRequest *request, Transaction *transaction);
