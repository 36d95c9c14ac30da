/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loops: one for each core, for all that a daemon does without blocking. What serves a client,
 * calls another daemon for it and hears the answer runs on the same thread, if each of them uses
 * loop_current().
 *
 * They run from when they are made until they are freed, so they are made before and freed behind
 * everything that uses them. */

#include "loop/loop.h"

typedef struct Loops Loops;

/* Makes and starts N loops; 0 for one per core. Returns 0 or a negative errno. */
int loops_new(size_t n, Loops **ret);

/* Ends the threads; what was handed over has been called before, but functions that wait for their
 * time are not. Thread: any but a loop's. */
Loops *loops_free(Loops *loops);
DEFINE_CLEANUP(Loops *, loops_free);

/* Thread: any. */
size_t loops_count(const Loops *loops);
Loop *loops_get(const Loops *loops, size_t i);

/* The place of the loop whose thread this is; for other threads 0, that of the first one. Thread:
 * any. */
size_t loops_here(const Loops *loops);
