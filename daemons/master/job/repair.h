/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Repair: makes the copies again that are marked as damaged (store/index/damage.h), from good ones:
 * where they are, or, if that volume cannot take them, elsewhere.
 *
 * It begins by itself when there is a mark, and ends when there is none. What it can do nothing
 * about it tries again after a while that grows, and as soon as there is news: another mark, a
 * volume that came up, a copy that turned out to be good. */

#include <stddef.h>
#include <stdint.h>

#include "master/move/pass.h"
#include "master/trouble/trouble.h"

typedef struct RepairOptions {
        JobQueue *queue; /* not owned, as all of these */
        Passes *passes;
        Peers *peers; /* for calls that take long */
        Troubles *troubles;
} RepairOptions;

typedef struct Repair Repair;

int repair_new(const RepairOptions *options, Repair **ret);

/* After job_queue_stop(), and the end of the clients. */
Repair *repair_free(Repair *repair);
DEFINE_CLEANUP(Repair *, repair_free);

/* The kind, for job_queue_add_kind(). */
JobKind repair_kind(Repair *repair);

/* On the main loop, often: starts a repair, or has one go on, when there is reason to; and notes
 * what is damaged among the troubles. */
void repair_watch(Repair *repair);
