/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Refusal: why something cannot be done, as a sentence for the caller. */

#include <systemd/sd-bus.h>

#include "master/job/job.h"

/* What was asked for. */
typedef enum Asked {
        ASKED_ADD,       /* volumes */
        ASKED_DELETE,    /* volumes */
        ASKED_REBALANCE, /* also what has no sentences of its own */
        ASKED_COPIES,    /* another number of them */
        ASKED_SETTINGS,  /* of a volume */
        ASKED_JOB,       /* to be controlled */
} Asked;

/* Where a refusal finds its reasons. None of it is owned. */
typedef struct RefusalSource {
        Jobs *jobs; /* one of them may be in the way */
        Lead *lead; /* who knows which volumes are strangers; NULL if the master leads anyway */
} RefusalSource;

/* Sets ERROR to what R, a negative errno, means for what was ASKED. NUMBER is the volume, or the
 * job, that it is about, 0 for none in particular. Returns R for a method handler to return. */
int refuse(const RefusalSource *source, Asked asked, int r, uint32_t number, sd_bus_error *error);
