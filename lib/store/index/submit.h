/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Submit: how a request gets to the tables, and its answer back. Inside of the index. */

#include "store/environment/database.h"
#include "store/index/request.h"

/* The functions that index.h and its kin promise end here: the request is carried out with the next
 * batch, and told. */
void index_submit(Index *index, RequestType type, IndexRequest *request);

/* Likewise, for one that was decoded, and is applied as it was when it was encoded. */
void index_resubmit(Index *index, IndexRequest *request);

/* Submits and waits; done() is not called. Never on a server thread, nor for what needs room.
 * Returns 0 or a negative errno, INDEX_ERROR_UNKNOWN among them. */
int index_run(Index *index, RequestType type, IndexRequest *request);

/* What a negative errno, or 0, means as an answer. */
IndexResult index_result(int error);

/* The environment's hook: what applying may depend on besides the tables is asked here, once for a
 * batch, and noted in its requests. */
void index_on_collected(Operation *first, size_t max, bool has_room, void *userdata);

/* For tests: what becomes of a request in the place of being carried out. */
typedef enum Interception {
        INTERCEPT_NOT,
        INTERCEPT_REFUSE, /* with -ENOSPC */
        INTERCEPT_NOT_LEADER,
        INTERCEPT_LOSE,        /* the request; the answer is "unknown" */
        INTERCEPT_LOSE_ANSWER, /* likewise, but it is carried out */
} Interception;

/* Asks for each request that is submitted from now on, on the thread that does. NULL ends it. */
void index_intercept(
                Index *index,
                Interception (*intercept)(const IndexRequest *request, void *userdata),
                void *userdata);

/* For submit.c: each returns 0, or a negative errno with which it has changed nothing but what is
 * said of the request; an error of the database sticks in the transaction. */
int apply_commit(IndexRequest *request, Transaction *transaction);
int apply_delete(IndexRequest *request, Transaction *transaction);
int apply_settle(IndexRequest *request, Transaction *transaction);
int apply_collected(IndexRequest *request, Transaction *transaction);
int apply_set(IndexRequest *request, Transaction *transaction);
int apply_move(IndexRequest *request, Transaction *transaction);
int apply_bars(IndexRequest *request, Transaction *transaction);
int apply_damage(IndexRequest *request, Transaction *transaction);
int apply_reserve(IndexRequest *request, Transaction *transaction);
int apply_end_versions(IndexRequest *request, Transaction *transaction);
int apply_begin_term(IndexRequest *request, Transaction *transaction);
int apply_accept(IndexRequest *request, Transaction *transaction);
