/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Run: executes a load, with as many threads and connections as the options say. */

#include "bench/load/load.h"
#include "bench/result/ledger.h"
#include "bench/result/tally.h"

typedef struct Run {
        const Options *options;   /* not owned */
        Authorities *authorities; /* not owned */
        const char *url;
        Load *load;     /* not owned */
        Ledger *ledger; /* records writes unless it is NULL; not owned */
        bool verify;
        bool follow;
        bool progress;

        /* Called when an operation is over, by any of the threads. Optional. */
        void (*observe)(const Connection *connection, void *userdata);
        void *userdata;
} Run;

/* Returns 0 when the load is over and all operations have ended, or a negative errno, having said
 * what is wrong. The caller zeroes RET_TALLY. */
int run_execute(const Run *run, Tally *ret_tally);
