/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Server: keeps values, for dkv-bench to be run against, and can be told to misbehave. There is one
 * in a process, and one Bench that is set up for it. */

#include "test.h"

#include <pthread.h>

#include "bench/bench.h"

#define KEYS       20
#define VALUE_SIZE 300

/* A key is its number behind "/bench/"; the server answers by number. */
typedef struct Server {
        int listen_fd;
        char url[64];
        pthread_t thread;
        pthread_mutex_t lock; /* of all below */
        uint8_t values[KEYS][VALUE_SIZE];
        size_t sizes[KEYS]; /* 0: there is none */
        unsigned n_requests;
        unsigned n_failures; /* so many requests are answered with 503 first */
        unsigned n_closes;   /* so many are answered by the end of their connection first */
        bool redirects, closes;
} Server;

extern Server server;
extern Bench bench;
extern Tally tally; /* of the last bench_run() */

/* For a group of tests. */
int server_start(void **state);
int server_stop(void **state);

#define OPTIONS(...) \
        ((const char *const[]){ "--keys=20", "--size=100-300", "--connections=4", "--progress=no", \
                                __VA_ARGS__, NULL })

/* As "dkv-bench OPTIONS..." is set up, with a server that behaves; until bench_end(). */
void bench_begin(const char *const options[]);
void bench_end(void);

/* Makes the run, with so many reads among its requests. Returns what run_execute() does. */
int bench_run(unsigned read_percent, OperationType write);

/* Writes a value for each key. */
void server_fill(void);
