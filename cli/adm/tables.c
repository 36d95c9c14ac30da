/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/tables.h"
#include "adm/context/context.h"
#include "adm/verb/change.h"
#include "adm/verb/config.h"
#include "adm/verb/damage.h"
#include "adm/verb/events.h"
#include "adm/verb/job.h"
#include "adm/verb/locate.h"
#include "adm/verb/master.h"
#include "adm/verb/monitor.h"
#include "adm/verb/secret.h"
#include "adm/verb/status.h"
#include "adm/verb/volume/create.h"
#include "adm/verb/volume/remove-config.h"
#include "adm/verb/volume/volume.h"

#define CONNECTION(field) offsetof(Context, connection.field)
#define OUTPUT(field)     offsetof(Context, output.field)
#define OPTION(field)     offsetof(Context, options.field)

static const char *const json_modes[] = {
        [JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty", NULL
};

/* clang-format off */
const Option adm_options[] = {
        { 'H',  "host",         OPTION_TEXT,   CONNECTION(host),        "[USER@]HOST",      "Operate on a remote host, over ssh" },
        { 'M',  "machine",      OPTION_TEXT,   CONNECTION(machine),     "CONTAINER",        "Operate on a local container" },
        { '\0', "sandbox",      OPTION_TEXT,   CONNECTION(sandbox),     "DIR",              "Operate on a private cluster of dkv-sandbox" },
        { '\0', "bus-address",  OPTION_TEXT,   CONNECTION(bus_address), "ADDRESS",          "Connect to this bus instead of the system bus" },
        { '\0', "json",         OPTION_CHOICE, OUTPUT(json),            "short|pretty|off", "Print JSON, on one line or indented", json_modes },
        { '\0', "no-pager",     OPTION_FLAG,   OUTPUT(no_pager),        NULL,               "Do not use a pager" },
        { '\0', "no-legend",    OPTION_FLAG,   OUTPUT(no_legend),       NULL,               "Do not print column headers" },
        { 'q',  "quiet",        OPTION_FLAG,   OUTPUT(quiet),           NULL,               "Suppress output" },
        { 'h',  "help",         OPTION_FLAG,   OPTION(help),            NULL,               "Show this help; after a verb, the options of that verb" },
        { '\0', "version",      OPTION_FLAG,   OPTION(version),         NULL,               "Show the version" },
        { '\0', "epoch",        OPTION_NUMBER, OPTION(epoch),           "N",                "Fail if the cluster map has changed since this epoch", NULL, true },
        { '\0', "weight",       OPTION_NUMBER, OPTION(weight),          "N",                "Share of the keys relative to other volumes (1 to 256)", NULL, true },
        { '\0', "zone",         OPTION_TEXT,   OPTION(zone),            "NAME",             "Volumes that fail together; copies go to different zones", NULL, true },
        { '\0', "url",          OPTION_TEXT,   OPTION(url),             "URL",              "Address to which clients are redirected", NULL, true },
        { 'D',  "directory",    OPTION_TEXT,   OPTION(directory),       "PATH",             "Data directory of the volume; directory of the journal", NULL, true },
        { '\0', "listen",       OPTION_TEXT,   OPTION(listen),          "ADDRESS",          "Address on which the volume listens, ADDRESS:PORT", NULL, true },
        { '\0', "master",       OPTION_TEXT,   OPTION(master),          "URL",              "Master to which the volume belongs", NULL, true },
        { '\0', "add",          OPTION_FLAG,   OPTION(add),             NULL,               "Make the volume active as soon as the master knows it", NULL, true },
        { 'f',  "follow",       OPTION_FLAG,   OPTION(follow),          NULL,               "Follow new events", NULL, true },
        { 'n',  "lines",        OPTION_NUMBER, OPTION(lines),           "N",                "Show only the last N events", NULL, true },
        { '\0', "since",        OPTION_TEXT,   OPTION(since),           "TIME",             "Show events since '2h ago', 03:04, yesterday or a date", NULL, true },
        { '\0', "volume",       OPTION_NUMBER, OPTION(volume),          "N",                "Show only events about this volume", NULL, true },
        { '\0', "force",        OPTION_FLAG,   OPTION(force),           NULL,               "Replace the secret; do not ask the master", NULL, true },
        { '\0', "root",         OPTION_TEXT,   OPTION(root),            "DIR",              "Operate on files below DIR; start and stop nothing", NULL, true },
        { '\0', "dry-run",      OPTION_FLAG,   OPTION(dry_run),         NULL,               "Show what would be moved without changing anything", NULL, true },
        { 'a',  "all",          OPTION_FLAG,   OPTION(all),             NULL,               "Include removed volumes", NULL, true },
        { 'y',  "yes",          OPTION_FLAG,   OPTION(yes),             NULL,               "Do not ask for confirmation", NULL, true },
        { '\0', "no-block",     OPTION_FLAG,   OPTION(no_block),        NULL,               "Print the number of the job instead of waiting for its end", NULL, true },
        { '\0', "no-rebalance", OPTION_FLAG,   OPTION(no_rebalance),    NULL,               "Leave values where they are", NULL, true },
        { '\0', "accept-loss",  OPTION_FLAG,   OPTION(accept_loss),     NULL,               "Give up keys that have no other readable copy", NULL, true },
        { '\0', "rate",         OPTION_TEXT,   OPTION(rate),            "BYTES",            "Limit of bytes moved per second, such as 50M; 0 for none", NULL, true },
        { '\0', "parallel",     OPTION_NUMBER, OPTION(parallel),        "N",                "Concurrent transfers per volume (2)", NULL, true },
        { '\0', "interval",     OPTION_NUMBER, OPTION(interval),        "SECONDS",          "Seconds between updates (1)", NULL, true },
        {}
};

static int verb_help(int argc, char *argv[], void *userdata) {
        return print_help(argc, argv);
}

const Verb adm_verbs[] = {
        { "status",                 "",                0, 0,        "",                            verb_status,                 "Show the health of the cluster and what to do about problems" },
        { "volume list",            "",                0, 0,        "all",                         verb_volume_list,            "List volumes" },
        { "volume show",            "N",               1, 1,        "",                            verb_volume_show,            "Show details of a volume" },
        { "volume create",          "N",               1, 1,        "directory listen master zone weight add root", verb_volume_create, "Set up a volume on this machine and start it" },
        { "volume add",             "N...",            1, VERB_ANY, "no-rebalance dry-run yes no-block rate parallel epoch", verb_volume_add,            "Make new volumes active, all or none, and move values to them", true },
        { "volume delete",          "N...",            1, VERB_ANY, "accept-loss dry-run yes no-block rate parallel epoch", verb_volume_delete,          "Move all values off volumes, then remove them", true },
        { "volume set",             "N",               1, 1,        "weight zone url epoch",       verb_volume_set,             "Change the settings of a volume in the cluster map", true },
        { "volume maintenance",     "N on|off [TIME]", 2, 3,        "epoch",                       verb_volume_maintenance,     "Keep new values off a volume, for 2h or until turned off", true },
        { "volume remove-config",   "N",               1, 1,        "force root",                  verb_volume_remove_config,   "Stop a volume of this machine and remove its configuration" },
        { "rebalance",              "",                0, 0,        "dry-run yes no-block rate parallel epoch",                verb_rebalance,              "Move every copy to where it belongs", true },
        { "set",                    "copies=N",        1, 1,        "dry-run yes no-block rate parallel epoch",                verb_set,                    "Set the number of copies of each value", true },
        { "job list",               "",                0, 0,        "",                            verb_job_list,               "List jobs" },
        { "job show",               "JOB",             1, 1,        "",                            verb_job_show,               "Show details of a job" },
        { "job watch",              "JOB",             1, 1,        "",                            verb_job_watch,              "Watch a job until it ends" },
        { "job pause",              "JOB",             1, 1,        "",                            verb_job_pause,              "Pause a job", true },
        { "job resume",             "JOB",             1, 1,        "",                            verb_job_resume,             "Resume a paused job", true },
        { "job cancel",             "JOB",             1, 1,        "",                            verb_job_cancel,             "Cancel a job; volumes being deleted become active again", true },
        { "job set",                "JOB",             1, 1,        "rate parallel",               verb_job_set,                "Change the limits of a job", true },
        { "locate",                 "KEY",             1, 1,        "",                            verb_locate,                 "Show where the copies of a value are" },
        { "damage",                 "",                0, 0,        "",                            verb_damage,                 "List damaged copies" },
        { "master accept-rollback", "",                0, 0,        "yes",                         verb_master_accept_rollback, "Let the master lead with an index older than its volumes" },
        { "config",                 "[N]",             0, 1,        "",                            verb_config,                 "Show the settings of a daemon and where they are set" },
        { "secret create",          "",                0, 0,        "force root",                  verb_secret_create,          "Create a new secret for the cluster" },
        { "secret show",            "",                0, 0,        "root",                        verb_secret_show,            "Print the secret for copying to other machines" },
        { "events",                 "",                0, 0,        "follow lines since volume directory", verb_events,         "Show events from the journal" },
        { "help",                   "[VERB]",          0, 2,        "",                            verb_help,                   "Show this help or that of a verb" },
        { "monitor",                "",                0, 0,        "interval",                    verb_monitor,                "Watch rates and volumes; press q to quit" },
        {}
};
/* clang-format on */

int print_help(int n_words, char *const words[]) {
        fputs("Usage: dkvadm [OPTIONS] VERB [ARGUMENTS]\n\n", stdout);
        if (n_words == 0)
                fputs("Show and change a dkv cluster over D-Bus.\n\nVerbs:\n", stdout);

        if (verbs_print_help(adm_verbs, adm_options, n_words, words, stdout) == 0)
                return complain_usage("Unknown verb '%s'; see --help.", words[0]);
        if (n_words > 0)
                return 0;

        fputs("\nOptions:\n", stdout);
        for (const Option *option = adm_options; option->name; option++)
                if (!option->special)
                        option_print_help(option, stdout);
        fputs("\nSome verbs take further options: dkvadm VERB --help. The exit status is 0 on success, 1 on\n"
              "failure and 2 on bad usage; for status also 3 (degraded) and 4 (down). See dkvadm(8).\n",
              stdout);
        return 0;
}
