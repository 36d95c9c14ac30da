/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkvadm: administers a cluster over D-Bus. */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/polkit-agent.h"
#include "adm/dkvadm.h"
#include "frame/terminal.h"
#include "frame/verbs.h"

#define AT(field) offsetof(Context, field)

static const char *const json_modes[] = {
        [JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty", NULL
};

/* clang-format off */
static const Option options[] = {
        { 'H',  "host",        OPTION_TEXT,   AT(host),        "[USER@]HOST", "Work on another machine, over ssh" },
        { 'M',  "machine",     OPTION_TEXT,   AT(machine),     "CONTAINER",   "Work in a local container" },
        { '\0', "sandbox",     OPTION_TEXT,   AT(sandbox),     "DIR",         "Work on a private cluster of dkv-sandbox" },
        { '\0', "bus-address", OPTION_TEXT,   AT(bus_address), "ADDRESS",     "Use this bus instead of the system's" },
        { '\0', "json",        OPTION_CHOICE, AT(json),        "short|pretty|off", "Print JSON, on one line or indented", json_modes },
        { '\0', "no-pager",    OPTION_FLAG,   AT(no_pager),    NULL,          "Do not use a pager" },
        { '\0', "no-legend",   OPTION_FLAG,   AT(no_legend),   NULL,          "Print tables without titles" },
        { 'q',  "quiet",       OPTION_FLAG,   AT(quiet),       NULL,          "Do not say what was done" },
        { 'h',  "help",        OPTION_FLAG,   AT(help),        NULL,          "Show this help; behind a verb, the options that it takes" },
        { '\0', "version",     OPTION_FLAG,   AT(version),     NULL,          "Show the version" },
        { '\0', "epoch",       OPTION_NUMBER, AT(epoch),       "N",           "Fail if the cluster map has changed since this epoch", NULL, true },
        { '\0', "weight",      OPTION_NUMBER, AT(weight),      "N",           "Share of the keys, relative to other volumes: 1 to 256", NULL, true },
        { '\0', "zone",        OPTION_TEXT,   AT(zone),        "NAME",        "What fails together; copies go to different ones", NULL, true },
        { '\0', "url",         OPTION_TEXT,   AT(url),         "URL",         "Where clients are sent to", NULL, true },
        { 'D',  "directory",   OPTION_TEXT,   AT(directory),   "PATH",        "Where the volume keeps its data; where the journal is", NULL, true },
        { '\0', "listen",      OPTION_TEXT,   AT(listen),      "ADDRESS",     "Where the volume listens, ADDRESS:PORT", NULL, true },
        { '\0', "master",      OPTION_TEXT,   AT(master),      "URL",         "Where the master is that the volume belongs to", NULL, true },
        { '\0', "add",         OPTION_FLAG,   AT(add),         NULL,          "Make the volume active as soon as the master knows it", NULL, true },
        { 'f',  "follow",      OPTION_FLAG,   AT(follow),      NULL,          "Go on and show what happens", NULL, true },
        { 'n',  "lines",       OPTION_NUMBER, AT(lines),       "N",           "Show the last N only", NULL, true },
        { '\0', "since",       OPTION_TEXT,   AT(since),       "TIME",        "Show what happened since '2h ago', 03:04, yesterday or a date", NULL, true },
        { '\0', "volume",      OPTION_NUMBER, AT(volume),      "N",           "Show what is about this volume", NULL, true },
        { '\0', "force",       OPTION_FLAG,   AT(force),       NULL,          "Replace the secret; do not ask the master", NULL, true },
        { '\0', "root",        OPTION_TEXT,   AT(root),        "DIR",         "Work on the files below DIR, start and stop nothing", NULL, true },
        { '\0', "dry-run",     OPTION_FLAG,   AT(dry_run),     NULL,          "Show what would be moved, and change nothing", NULL, true },
        { 'a',  "all",         OPTION_FLAG,   AT(all),         NULL,          "Show volumes that were removed, too", NULL, true },
        { 'y',  "yes",         OPTION_FLAG,   AT(yes),         NULL,          "Do not ask", NULL, true },
        { '\0', "no-block",    OPTION_FLAG,   AT(no_block),    NULL,          "Print the number of the job instead of waiting for its end", NULL, true },
        { '\0', "no-rebalance", OPTION_FLAG,  AT(no_rebalance), NULL,         "Leave the values where they are", NULL, true },
        { '\0', "accept-loss", OPTION_FLAG,   AT(accept_loss), NULL,          "Give up keys of which no other copy can be read", NULL, true },
        { '\0', "rate",        OPTION_TEXT,   AT(rate),        "BYTES",       "Move at most so much each second, 50M, say; 0 for no limit", NULL, true },
        { '\0', "parallel",    OPTION_NUMBER, AT(parallel),    "N",           "Calls at a time that a volume takes part in (2)", NULL, true },
        { '\0', "interval",    OPTION_NUMBER, AT(interval),    "SECONDS",     "Time between two looks (1)", NULL, true },
        {}
};

static const Verb verbs[] = {
        { "status",             "",                0, 0,        "",                      verb_status,               "Is the cluster well, and what to do if it is not" },
        { "volume list",        "",                0, 0,        "all",                     verb_volume_list,          "List the volumes, --all with those that were removed" },
        { "volume show",        "N",               1, 1,        "",                      verb_volume_show,          "Show all about one volume" },
        { "volume create",      "N",               1, 1,        "directory listen master zone weight add root", verb_volume_create, "Set up a volume on this machine and start it" },
        { "volume add",         "N...",            1, VERB_ANY, "no-rebalance dry-run yes no-block rate parallel epoch", verb_volume_add,           "Make new volumes active, all or none, and move values there", true },
        { "volume delete",      "N...",            1, VERB_ANY, "accept-loss dry-run yes no-block rate parallel epoch", verb_volume_delete,        "Move all values off volumes, then remove these", true },
        { "volume set",         "N",               1, 1,        "weight zone url epoch", verb_volume_set,           "Change what the cluster map says of a volume", true },
        { "volume maintenance", "N on|off [TIME]", 2, 3,        "epoch",                 verb_volume_maintenance,   "Give a volume no new values, for 2h, say, or until told", true },
        { "volume remove-config", "N",             1, 1,        "force root",            verb_volume_remove_config, "Stop a volume of this machine and remove its configuration" },
        { "rebalance",          "",                0, 0,        "dry-run yes no-block rate parallel epoch", verb_rebalance,            "Move every copy to where it belongs", true },
        { "set",                "copies=N",        1, 1,        "dry-run yes no-block rate parallel epoch", verb_set,                  "Set how many copies of each value there should be", true },
        { "job list",           "",                0, 0,        "",                      verb_job_list,             "List the jobs that move values" },
        { "job show",           "JOB",             1, 1,        "",                      verb_job_show,             "Show all about one job" },
        { "job watch",          "JOB",             1, 1,        "",                      verb_job_watch,            "Watch a job up to its end" },
        { "job pause",          "JOB",             1, 1,        "",                      verb_job_pause,            "Have a job wait", true },
        { "job resume",         "JOB",             1, 1,        "",                      verb_job_resume,           "Let it go on", true },
        { "job cancel",         "JOB",             1, 1,        "",                      verb_job_cancel,           "End it; volumes to be deleted become active again", true },
        { "job set",            "JOB",             1, 1,        "rate parallel",         verb_job_set,              "Change the limits of a job", true },
        { "locate",             "KEY",             1, 1,        "",                      verb_locate,               "Show where the copies of a value are" },
        { "damage",             "",                0, 0,        "",                      verb_damage,               "List the copies that are damaged" },
        { "master accept-rollback", "",            0, 0,        "yes",                   verb_master_accept_rollback, "Lead with an index that is older than its volumes" },
        { "config",             "[N]",             0, 1,        "",                      verb_config,               "Show the settings of the master or a volume, and their origin" },
        { "secret create",      "",                0, 0,        "force root",            verb_secret_create,        "Make a new secret for the cluster" },
        { "secret show",        "",                0, 0,        "root",                  verb_secret_show,          "Print the secret, as other machines need it" },
        { "events",             "",                0, 0,        "follow lines since volume directory", verb_events, "Show what happened, from the journal" },
        { "help",               "[VERB]",          0, 2,        "",                      verb_help,                 "Show this help, or that of a verb" },
        { "monitor",            "",                0, 0,        "interval",              verb_monitor,              "Watch rates and volumes; q leaves" },
        {}
};
/* clang-format on */

static int print_help(int n_words, char *const words[]) {
        fputs("Usage: dkvadm [OPTIONS] VERB [ARGUMENTS]\n\n", stdout);
        if (n_words == 0)
                fputs("Shows and changes a dkv cluster, over D-Bus.\n\nVerbs:\n", stdout);

        if (verbs_print_help(verbs, options, n_words, words, stdout) == 0)
                return complain_usage("There is no verb '%s'; see --help.", words[0]);

        if (n_words == 0) {
                fputs("\nOptions:\n", stdout);
                for (const Option *option = options; option->name; option++)
                        if (!option->special)
                                option_print_help(option, stdout);
                fputs("\nSome verbs take more of them: dkvadm VERB --help. The exit status is 0, or 1 for"
                      " failure, or 2\nfor bad usage; of status, also 3: degraded, 4: down. See"
                      " dkvadm(8).\n",
                      stdout);
        }

        return 0;
}

int verb_help(int argc, char *argv[], void *userdata) {
        return print_help(argc, argv);
}

/* There is one cluster at a time. */
static bool is_one_place(const Context *context) {
        unsigned n = !!context->host + !!context->machine + !!context->sandbox +
                     !!context->bus_address;

        if (n > 1)
                (void) complain_usage(
                                "--host, --machine, --sandbox and --bus-address exclude each other.");
        return n <= 1;
}

/* For the shells, see completion.h. */
static int complete(Context *context, int argc, char *argv[]) {
        CompletionQuestion question;
        int r;

        r = completion_print(verbs, options, argc, argv, context, &question);
        if (r > 0)
                context_answer(context, &question);

        return r < 0 ? EXIT_USAGE : 0;
}

static int run(Context *context, int argc, char *argv[]) {
        const Verb *verb;
        uint64_t given;
        int first, words;

        if (argc > 1 && strcmp(argv[1], "--complete") == 0)
                return complete(context, argc - 1, argv + 1);

        first = options_parse(options, argc, argv, context, &given);
        if (first < 0)
                return EXIT_USAGE;

        argc -= first;
        argv += first;

        if (context->help)
                return print_help(argc, argv);
        if (context->version) {
                puts("dkvadm " DKV_VERSION);
                return 0;
        }

        if (argc == 0) {
                (void) complain_usage("Which verb? There is:");
                (void) verbs_print_help(verbs, options, 0, NULL, stderr);
                return EXIT_USAGE;
        }

        verb = verbs_match(verbs, options, given, argc, argv, &words);
        if (!verb || !is_one_place(context))
                return EXIT_USAGE;

        context->asks = verb->changes && !context->dry_run;
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
                  errno == EPIPE; /* a pager may be left at any time */
        pager_close();

        if (!printed)
                r = complain(-errno, "Failed to print: %m");
        return r < 0 ? EXIT_FAILURE : r;
}
