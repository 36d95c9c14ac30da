/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bench: what the verbs of dkv-bench share. */

#include "bench/run/run.h"

typedef struct Bench {
        Options options;
        const char *verb;
        const char *url;  /* of the server */
        const char *path; /* the rest of the URL, behind the authority; points into it */
        Authorities authorities;
} Bench;

/* Takes the server's URL. Returns 0 or a negative errno, having said what is wrong. */
int bench_set_url(Bench *bench, const char *url);

/* A run of LOAD as the options say. */
Run bench_make_run(Bench *bench, Load *load);
