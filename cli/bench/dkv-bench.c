/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-bench: puts load on a cluster, measures it, and checks that every byte written can be read
 * again. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/check.h"
#include "bench/result/report.h"
#include "bench/tickets.h"
#include "frame/complaint.h"

#define URL_DEFAULT "http://127.0.0.1:3000"

/* Returns 0, 1 for failures that were counted, or a negative errno, having said what is wrong;
 * -EINVAL is for bad usage. */
typedef int (*VerbFunction)(Bench *bench, int argc, char *argv[]);

typedef struct Verb {
        const char *name;
        const char *args;
        int min_args, max_args;
        VerbFunction run;
        const char *help;
} Verb;

static int check_options(const Bench *bench) {
        const Options *options = &bench->options;
        bool get = strcmp(bench->verb, "get") == 0,
             writes = !get && strcmp(bench->verb, "delete") != 0;

        if ((options->raw || options->tickets) && !get)
                return complain(-EINVAL, "--raw and --tickets are for the verb get.");
        if (options->raw && options->tickets)
                return complain(-EINVAL, "--raw and --tickets exclude each other.");
        if (*options->acknowledged && !writes)
                return complain(-EINVAL, "--acknowledged is for the verbs put and mixed.");
        if (*options->acknowledged && options->keys < options->connections)
                return complain(-EINVAL, "--acknowledged needs a key per connection.");

        return 0;
}

/* Makes the load that of the verb. */
static void set_verb(Load *load, const char *verb) {
        if (strcmp(verb, "get") == 0)
                load->read_percent = 100;
        else if (strcmp(verb, "mixed") != 0)
                load->read_percent = 0;

        if (strcmp(verb, "delete") == 0)
                load->write = OPERATION_DELETE;
}

static int report(const Bench *bench, const Tally *tally) {
        const Options *options = &bench->options;
        int r;

        if (options->json) {
                r = report_print_json(options, bench->verb, bench->url, tally);
                if (r < 0)
                        return complain(r, "Failed to print: %m");
        } else
                report_print(options, bench->verb, bench->url, tally);

        if (tally->outcomes[OUTCOME_WRONG] > 0)
                return 1;
        return !options->allow_errors && report_failures(tally) > 0;
}

static int verb_load(Bench *bench, int argc, char *argv[]) {
        const Options *options = &bench->options;
        _cleanup_(tickets_done) Tickets tickets = {};
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        _cleanup_(load_done) Load load = {};
        _cleanup_free_ Tally *tally = calloc(1, sizeof(*tally));
        char *name;
        Run run;
        int r;

        if (!tally)
                return complain(-ENOMEM, "Failed to start: %m");

        r = check_options(bench);
        if (r < 0)
                return r;
        r = bench_set_url(bench, argc > 0 ? argv[0] : URL_DEFAULT);
        if (r < 0)
                return r;
        r = load_init(&load, options);
        if (r < 0)
                return r;

        set_verb(&load, bench->verb);
        run = bench_make_run(bench, &load);

        if (options->raw && strlen(bench->path) > 1) {
                name = (char *) bench->path + 1;
                load.names = &name;
                load.keys = 1;
        }

        if (options->tickets) {
                r = tickets_get(bench, &tickets);
                if (r < 0)
                        return r;
                load.targets = tickets.urls;
        }

        if (*options->acknowledged) {
                r = ledger_open(options->acknowledged, &ledger);
                if (r >= 0)
                        r = load_claim_keys(&load);
                if (r < 0)
                        return complain(r, "Failed to open '%s': %m", options->acknowledged);
                run.ledger = ledger;
        }

        r = run_execute(&run, tally);
        return r < 0 ? r : report(bench, tally);
}

static int verb_check(Bench *bench, int argc, char *argv[]) {
        int r;

        r = bench_set_url(bench, argc > 1 ? argv[1] : URL_DEFAULT);
        return r < 0 ? r : check_ledger(bench, argv[0]);
}

/* clang-format off */
static const Verb verbs[] = {
        { "put",    "[URL]",      0, 1, verb_load,  "Write values"                                          },
        { "get",    "[URL]",      0, 1, verb_load,  "Read values"                                           },
        { "mixed",  "[URL]",      0, 1, verb_load,  "Read and write; fill the keys first with put"          },
        { "delete", "[URL]",      0, 1, verb_load,  "Delete values"                                         },
        { "check",  "FILE [URL]", 1, 2, verb_check, "Read all keys that --acknowledged recorded in a file"  },
        {}
};
/* clang-format on */

static void print_help(void) {
        printf("Usage: dkv-bench [OPTIONS] VERB [ARGUMENTS]\n\n"
               "Put load on dkv, measure it and check every byte. The default URL is " URL_DEFAULT
               ".\nThe exit status is 1 on errors or missing keys, and 2 on bad usage.\n\n");
        for (const Verb *verb = verbs; verb->name; verb++)
                printf("  %-7s %-11s %s\n", verb->name, verb->args, verb->help);
        options_print_help();
}

static const Verb *find_verb(int argc, char *argv[]) {
        const Verb *verb = verbs;

        if (argc == 0) {
                (void) complain_usage("A verb is missing; see --help.");
                return NULL;
        }

        while (verb->name && strcmp(verb->name, argv[0]) != 0)
                verb++;

        if (!verb->name) {
                (void) complain_usage("Unknown verb '%s'; see --help.", argv[0]);
                return NULL;
        }
        if (argc - 1 < verb->min_args || argc - 1 > verb->max_args) {
                (void) complain_usage("Usage: dkv-bench [OPTIONS] %s %s", verb->name, verb->args);
                return NULL;
        }

        return verb;
}

/* Completes the last word, for the shells; see completion.h. */
static void complete(int argc, char *argv[]) {
        const char *verb = NULL;
        int n = 0;

        if (argc == 0 || options_print_completion(argc, argv))
                return;

        for (int i = 0; i < argc - 1; i++)
                if (strncmp(argv[i], "--", 2) != 0 &&
                    (i == 0 || !options_wait_for_value(argv[i - 1]))) {
                        verb = verb ?: argv[i];
                        n++;
                }

        for (const Verb *one = verbs; !verb && one->name; one++)
                printf("%s\t%s\n", one->name, one->help);
        if (verb && strcmp(verb, "check") == 0 && n == 1)
                puts(":files");
}

static int run(Bench *bench, int argc, char *argv[]) {
        const Verb *verb;
        int n;

        if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
                complete(argc - 2, argv + 2);
                return 0;
        }

        n = options_parse(&bench->options, argc, argv);
        if (n < 0)
                return n;

        if (bench->options.help) {
                print_help();
                return 0;
        }
        if (bench->options.version) {
                puts("dkv-bench " DKV_VERSION);
                return 0;
        }

        verb = find_verb(n, argv);
        if (!verb)
                return -EINVAL;

        bench->verb = verb->name;
        return verb->run(bench, n - 1, argv + 1);
}

int main(int argc, char *argv[]) {
        static Bench bench;
        int r;

        authorities_init(&bench.authorities);
        r = run(&bench, argc, argv);
        options_done(&bench.options);
        authorities_done(&bench.authorities);

        if (r == -EINVAL)
                return EXIT_USAGE;
        if (fflush(stdout) != 0 || ferror(stdout)) {
                (void) complain(-errno, "Failed to print: %m");
                return EXIT_FAILURE;
        }
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
