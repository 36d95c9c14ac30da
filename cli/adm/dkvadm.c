/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkvadm: administers a cluster over D-Bus. */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "adm/answer.h"
#include "adm/context/context.h"
#include "adm/context/polkit-agent.h"
#include "adm/tables.h"
#include "frame/completion.h"
#include "frame/terminal.h"
#include "frame/verbs.h"

/* A command addresses one cluster. */
static bool is_one_place(const Connection *connection) {
        unsigned n = !!connection->host + !!connection->machine + !!connection->sandbox +
                     !!connection->bus_address;

        if (n > 1)
                (void) complain_usage(
                                "--host, --machine, --sandbox and --bus-address exclude each other.");
        return n <= 1;
}

/* For the shells, see completion.h. */
static int complete(Context *context, int argc, char *argv[]) {
        CompletionQuestion question;
        int r;

        r = completion_print(adm_verbs, adm_options, argc, argv, context, &question);
        if (r > 0)
                answer_print(context, &question);

        return r < 0 ? EXIT_USAGE : 0;
}

static int run(Context *context, int argc, char *argv[]) {
        const Verb *verb;
        uint64_t given;
        int first, words;

        if (argc > 1 && strcmp(argv[1], "--complete") == 0)
                return complete(context, argc - 1, argv + 1);

        first = options_parse(adm_options, argc, argv, context, &given);
        if (first < 0)
                return EXIT_USAGE;

        argc -= first;
        argv += first;

        if (context->options.help)
                return print_help(argc, argv);
        if (context->options.version) {
                puts("dkvadm " DKV_VERSION);
                return 0;
        }

        if (argc == 0) {
                (void) complain_usage("A verb is missing. The verbs are:");
                (void) verbs_print_help(adm_verbs, adm_options, 0, NULL, stderr);
                return EXIT_USAGE;
        }

        verb = verbs_match(adm_verbs, adm_options, given, argc, argv, &words);
        if (!verb || !is_one_place(&context->connection))
                return EXIT_USAGE;

        context->connection.asks = verb->changes && !context->options.dry_run;
        return verb->run(argc - words, argv + words, context);
}

int main(int argc, char *argv[]) {
        Context context = {};
        bool printed;
        int r;

        (void) setlocale(LC_CTYPE, "");
        r = run(&context, argc, argv);
        context_done(&context);
        polkit_agent_close();
        printed = (fflush(stdout) == 0 && !ferror(stdout)) ||
                  errno == EPIPE; /* users may quit the pager at any time */
        pager_close();

        if (!printed)
                r = complain(-errno, "Failed to print: %m");
        return r < 0 ? EXIT_FAILURE : r;
}
