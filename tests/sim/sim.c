/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The simulator: groups of masters in virtual time, a run for each seed.
 *
 *   sim [--first SEED] [--seeds N] [--seconds S] [--mutant NAME] [--verbose]
 *   sim --mutants [--first SEED] [--seeds N]
 *   sim --scenes [--first SEED] [--seeds N]
 *   sim --twice [--first SEED] [--seeds N]
 *
 * Without N and S it goes on for ten seconds, or for DKV_SIM_SEC of them. It stops at the first
 * seed at which the judge has something to say, and ends with status 1. With --mutants each of
 * these has to be found, within N seeds; with --scenes nothing must be found in any of those (see
 * scene.h); with --twice each seed runs twice, and has to do the same. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim/world.h"

static double seconds(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void add(Judge *sum, const Judge *judge) {
        sum->writes += judge->writes;
        sum->reads += judge->reads;
        sum->unknown += judge->unknown;
        sum->elections += judge->elections;
        sum->changes += judge->changes;
        sum->fetches += judge->fetches;
        sum->resets += judge->resets;
        sum->messages += judge->messages;
}

static void report(uint64_t n, const Judge *sum, uint64_t trace, double took) {
        printf("%lu seeds, %.1f s, %.0f a second, trace %016lx\n", n, took, (double) n / took,
               trace);
        printf("%lu writes, %lu reads, %lu unknown, %lu elections, %lu changes of members, %lu databases fetched, "
               "%lu logs begun again, %lu messages\n",
               sum->writes, sum->reads, sum->unknown, sum->elections, sum->changes, sum->fetches,
               sum->resets, sum->messages);
}

static int run(uint64_t first, uint64_t n, double limit, bool verbose) {
        double start = seconds();
        uint64_t trace = 0, done = 0;
        Judge sum = { 0 };
        int status = 0;

        for (; done < n && status == 0 && (limit == 0 || seconds() - start < limit); done++) {
                Options options = { .seed = first + done, .verbose = verbose };
                uint64_t one;
                Judge judge;

                if (world_run(&options, &judge, &one) < 0) {
                        printf("seed %lu, %.6f s: %s\n", options.seed,
                               (double) judge.verdict_usec / 1e6, judge.verdict);
                        status = 1;
                }
                trace = trace * 31 + one;
                add(&sum, &judge);
                judge_done(&judge);
        }
        report(done, &sum, trace, seconds() - start);
        return status;
}

/* Runs a seed, and returns whether the judge has something to say. */
static bool is_found(uint64_t seed, const Scene *scene, Judge *judge) {
        uint64_t trace;

        judge_done(judge);
        (void) world_run(&(Options){ .seed = seed, .scene = scene }, judge, &trace);
        return judge->verdict[0];
}

/* What is found must be the mutant's, so the seed is run without it as well. */
static bool find_mutant(Mutant wanted, uint64_t first, uint64_t n) {
        const Scene *scene = scene_of(wanted);
        Judge judge = {}, without = {};
        uint64_t i = 0;
        bool found = false;

        mutant = wanted;
        while (!found && i < n)
                found = is_found(first + i++, scene, &judge);
        mutant = MUTANT_NONE;
        if (found && is_found(first + i - 1, scene, &without)) {
                printf("%-16s is not what is found: %s\n", mutant_name(wanted), without.verdict);
                found = false;
        } else
                printf("%-16s %s after %lu seeds: %s\n", mutant_name(wanted),
                       found ? "found" : "NOT FOUND", i, judge.verdict);
        fflush(stdout);
        judge_done(&judge);
        judge_done(&without);
        return found;
}

static int run_mutants(uint64_t first, uint64_t n) {
        int status = 0;

        for (Mutant wanted = 1; wanted < _MUTANT_MAX; wanted++)
                status |= !find_mutant(wanted, first, n);
        return status;
}

static int run_scenes(uint64_t first, uint64_t n) {
        const Scene *scene;
        int status = 0;

        for (size_t i = 0; (scene = scene_at(i)); i++)
                for (uint64_t seed = first; seed < first + n; seed++) {
                        uint64_t trace;
                        Judge judge;

                        if (world_run(&(Options){ .seed = seed, .scene = scene }, &judge, &trace) <
                            0) {
                                printf("%s, seed %lu: %s\n", scene_name(scene), seed,
                                       judge.verdict);
                                status = 1;
                        }
                        judge_done(&judge);
                }
        return status;
}

static int run_twice(uint64_t first, uint64_t n) {
        for (uint64_t i = 0; i < n; i++) {
                uint64_t trace[2];
                bool is_good = true;

                for (size_t j = 0; j < 2; j++) {
                        Judge judge;

                        (void) world_run(&(Options){ .seed = first + i }, &judge, trace + j);
                        is_good = is_good && !judge.verdict[0];
                        judge_done(&judge);
                }
                printf("seed %lu: trace %016lx, %016lx\n", first + i, trace[0], trace[1]);
                if (!is_good || trace[0] != trace[1])
                        return 1;
        }
        return 0;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "first", required_argument, NULL, 'f' },
                { "seeds", required_argument, NULL, 'n' },
                { "seconds", required_argument, NULL, 's' },
                { "mutant", required_argument, NULL, 'm' },
                { "verbose", no_argument, NULL, 'v' },
                { "mutants", no_argument, NULL, 'a' },
                { "scenes", no_argument, NULL, 'c' },
                { "twice", no_argument, NULL, 't' },
                {},
        };
        uint64_t first = 1, n = UINT64_MAX;
        double limit = 0;
        const char *sec = getenv("DKV_SIM_SEC");
        bool verbose = false, all = false, scenes = false, twice = false;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (c == 'f')
                        first = strtoull(optarg, NULL, 10);
                else if (c == 'n')
                        n = strtoull(optarg, NULL, 10);
                else if (c == 's')
                        limit = strtod(optarg, NULL);
                else if (c == 'm' && mutant_from_name(optarg) < _MUTANT_MAX)
                        mutant = mutant_from_name(optarg);
                else if (c == 'v')
                        verbose = true;
                else if (c == 'a')
                        all = true;
                else if (c == 'c')
                        scenes = true;
                else if (c == 't')
                        twice = true;
                else
                        return EXIT_FAILURE;
        }
        if (n == UINT64_MAX && limit == 0)
                limit = sec ? strtod(sec, NULL) : 10;
        if (all)
                return run_mutants(first, n);
        if (scenes)
                return run_scenes(first, n);
        return twice ? run_twice(first, n) : run(first, n, limit, verbose);
}
