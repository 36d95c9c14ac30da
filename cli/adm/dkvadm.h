/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* dkvadm: what its verbs share. They get the Context as their userdata.
 *
 * The cluster is reached over the bus and by nothing else, so that any program can do what dkvadm
 * does. A verb that needs the bus begins with context_connect(). */

#include <systemd/sd-bus.h>

#include "adm/view/volume-table.h"
#include "frame/complaint.h"
#include "frame/completion.h"
#include "frame/table.h"

#define MASTER_NAME             "org.dkv.Master1"
#define MASTER_PATH             "/org/dkv/Master1"
#define MASTER_INTERFACE        "org.dkv.Master1.Manager"
#define MASTER_VOLUME_INTERFACE "org.dkv.Master1.Volume"
#define MASTER_JOB_PATH         "/org/dkv/Master1/job"
#define MASTER_JOB_INTERFACE    "org.dkv.Master1.Job"
#define STORE_NAME_PREFIX       "org.dkv.Volume1.i"
#define STORE_PATH              "/org/dkv/Volume1"
#define STORE_INTERFACE         "org.dkv.Volume1.Store"

typedef struct Context {
        /* Where the cluster is: none of these is the system bus of this machine. */
        const char *host;        /* -H, over ssh */
        const char *machine;     /* -M, a container */
        const char *sandbox;     /* directory of dkv-sandbox */
        const char *bus_address; /* any other bus */

        /* How to print. */
        unsigned json; /* JsonMode */
        bool no_pager;
        bool no_legend;
        bool quiet;
        bool help;
        bool asks; /* polkit may ask for a password */
        bool version;

        /* What verbs take. A number that was not given is 0, a text NULL. */
        uint64_t epoch; /* that the change is meant for, or 0 */
        uint64_t weight;
        const char *zone, *url;
        const char *directory, *listen, *master;
        bool add;
        bool all; /* also what was removed */
        bool follow;
        uint64_t lines;
        uint64_t interval; /* in seconds */
        uint64_t volume;   /* whose events */
        const char *since; /* which events, see moment.h */
        const char *root;  /* in front of the paths of files, without a slash at the end */
        bool force;

        /* What verbs take that move values. */
        bool dry_run;      /* tell only what would be moved */
        bool yes;          /* do not ask */
        bool no_block;     /* do not wait for the job's end */
        bool no_rebalance; /* leave the values where they are */
        bool accept_loss;  /* of what has no other copy */
        const char *rate;  /* see job-limits.h */
        uint64_t parallel;

        sd_bus *bus; /* owned; NULL until context_connect() */
} Context;

/* Connects to the bus that the options name, unless that has been done. Returns 0 or a negative
 * errno, having said what is wrong. */
int context_connect(Context *context);

/* The same without a word, and anew; for verbs that go on without a bus. */
int context_open_bus(Context *context);
void context_done(Context *context);

/* For a verb that works on files of this machine: it takes none of -H, -M and so on, and only root
 * may use it, but for files below --root. Returns 0, EXIT_USAGE or -EPERM, having said what is
 * wrong. */
int context_check_local(const Context *context, const char *verb);

/* Says that a call to the daemon has failed, with what the bus tells and what to do about it.
 * FORMAT is "Failed to add volume 4", without the full stop. Returns -abs(ERROR). */
int context_complain(
                const Context *context,
                int error,
                const sd_bus_error *bus_error,
                const char *format,
                ...) _printf_(4, 5);

/* Appends the a{sv} of options that changing methods take: the epoch, if one was given. */
int context_append_epoch(const Context *context, sd_bus_message *call);

/* Prints what there is to see, as a table, as a list ("Title: value"), or as JSON, through a pager
 * where that makes sense. Returns 0 or a negative errno, having said what is wrong. */
int context_print_table(Context *context, const Table *table);
int context_print_list(Context *context, const Table *table);
int context_print_json(Context *context, const Json *json);

/* Opens the pager for what the verb prints itself. Does nothing without a terminal, with --no-pager
 * or the second time. */
void context_page(Context *context);

/* Programs get all volumes, people those that there are, unless they want all. */
VolumeTableRows context_rows(const Context *context);

/* How tables look on stdout. */
TableLook context_look(const Context *context);

/* Prints a line about what was done, but not with --quiet. */
void context_say(const Context *context, const char *format, ...) _printf_(2, 3);

/* Reads a volume's number. Returns 0 or EXIT_USAGE, having said what is wrong. */
int parse_volume(const char *argument, uint32_t *ret);

/* Makes volumes active, all of them or none, and leaves the values where they are; waits a few
 * seconds for volumes that have not reported yet. Returns 0 or a negative errno, having said what
 * is wrong. */
int master_add_volumes(Context *context, const uint32_t numbers[], size_t n);

/* Prints what the cluster, or this machine, has for an answer, within a second or not at all. */
void context_answer(Context *context, const CompletionQuestion *question);

int verb_status(int argc, char *argv[], void *userdata);
int verb_volume_list(int argc, char *argv[], void *userdata);
int verb_volume_show(int argc, char *argv[], void *userdata);
int verb_volume_create(int argc, char *argv[], void *userdata);
int verb_volume_add(int argc, char *argv[], void *userdata);
int verb_volume_delete(int argc, char *argv[], void *userdata);
int verb_volume_set(int argc, char *argv[], void *userdata);
int verb_volume_maintenance(int argc, char *argv[], void *userdata);
int verb_volume_remove_config(int argc, char *argv[], void *userdata);
int verb_rebalance(int argc, char *argv[], void *userdata);
int verb_set(int argc, char *argv[], void *userdata);
int verb_job_list(int argc, char *argv[], void *userdata);
int verb_job_show(int argc, char *argv[], void *userdata);
int verb_job_watch(int argc, char *argv[], void *userdata);
int verb_job_pause(int argc, char *argv[], void *userdata);
int verb_job_resume(int argc, char *argv[], void *userdata);
int verb_job_cancel(int argc, char *argv[], void *userdata);
int verb_job_set(int argc, char *argv[], void *userdata);
int verb_damage(int argc, char *argv[], void *userdata);
int verb_locate(int argc, char *argv[], void *userdata);
int verb_master_accept_rollback(int argc, char *argv[], void *userdata);
int verb_config(int argc, char *argv[], void *userdata);
int verb_secret_create(int argc, char *argv[], void *userdata);
int verb_secret_show(int argc, char *argv[], void *userdata);
int verb_events(int argc, char *argv[], void *userdata);
int verb_help(int argc, char *argv[], void *userdata);
int verb_monitor(int argc, char *argv[], void *userdata);
