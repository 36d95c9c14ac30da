/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Store of jobs: keeps the table in the index, all jobs in one blob, the names of each job's lost
 * keys in one of their own, since they are many and do not change. It becomes the table's keeper.
 *
 * One save is under way at a time; the next one includes what changes meanwhile. */

#include "master/queue/table.h"
#include "store/index/index.h"

typedef struct JobStore JobStore;

/* Loads the jobs into TABLE, which is empty; before there are threads. Neither INDEX nor TABLE is
 * owned. Returns 0, -EPROTONOSUPPORT for an unknown format, -EBADMSG for a damaged one, or another
 * negative errno. */
int job_store_new(Index *index, JobTable *table, JobStore **ret);

/* After index_free(), and before job_table_done(). */
JobStore *job_store_free(JobStore *store);
DEFINE_CLEANUP(JobStore *, job_store_free);
