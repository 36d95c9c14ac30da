/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Options of individual verbs of dkvadm. If an option was not given, its number is 0 and its text
 * is NULL. */

#include "base/macro.h"

typedef struct Options {
        bool help;
        bool version;

        /* Of volumes. */
        uint64_t epoch; /* refuse the change in any other epoch of the map; 0 for any */
        uint64_t weight;
        const char *zone, *url;
        const char *directory, *listen, *master;
        bool add;
        bool all; /* also the volumes that were removed */

        /* Of what is watched. */
        bool follow;
        uint64_t lines;
        uint64_t interval; /* in seconds */
        uint64_t volume;   /* whose events */
        const char *since; /* which events, see time-parse.h */

        /* Of files. */
        const char *root; /* in front of the paths of files, without a slash at the end */
        bool force;

        /* Of verbs that move values. */
        bool dry_run;      /* only show what would be moved */
        bool yes;          /* do not ask */
        bool no_block;     /* do not wait for the end of the job */
        bool no_rebalance; /* leave the values where they are */
        bool accept_loss;  /* of keys that have no other readable copy */
        const char *rate;  /* see job-limits.h */
        uint64_t parallel;
} Options;
