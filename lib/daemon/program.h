/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Program: what the main() of both daemons shares: options, settings, the end after a disk failure.
 * Unlike the rest of lib/, it speaks for the daemon: failures are logged here. */

#include "base/conf.h"
#include "bus/bus.h"

#define PROGRAM_SET_MAX 64

typedef struct Program {
        const char *name;      /* "dkv-master" */
        const char *summary;   /* one sentence for --help */
        const char *config;    /* the default of --config=, for --help */
        const ConfItem *items; /* the settings */
        const BusObject *objects;
        uint64_t number_max; /* of --number=N; 0 for no such option */
        bool is_master;      /* --accept-rollback and those about groups are options */
} Program;

typedef struct ProgramArguments {
        const char *config;                   /* NULL for the default */
        const char *set[PROGRAM_SET_MAX + 1]; /* "NAME=VALUE", NULL-terminated */
        const char *bus_address;              /* "system", "none", or a D-Bus address; never NULL */
        uint64_t number;                      /* 0 if it was not given */
        bool accept_rollback;
        const char *found_group; /* the URLs of its members, or NULL */
        uint64_t join_group;     /* 0 if it was not given */
} ProgramArguments;

/* Reads the command line, and prints what --help and the like ask for. The strings are borrowed
 * from ARGV and the environment. Returns 1 to go on, 0 if all is done, -EINVAL for wrong usage
 * (exit status 2). */
int program_start(const Program *program, int argc, char *argv[], ProgramArguments *ret);

/* Fills CONF, zeroed: from the table, the file PATH and its drop-ins, and --set=. */
int program_load(
                const ProgramArguments *arguments,
                const char *path,
                const ConfItem items[],
                void *conf);

/* Takes over what FRESH has changed and can change while the daemon runs; logs that, and what needs
 * a restart of UNIT ("dkv-master"). */
void program_apply(const ConfItem items[], void *conf, void *fresh, const char *unit);

/* Returns the exit status of a program that has printed what was asked for: STATUS, or
 * EXIT_FAILURE, with a message, if not all of it could be written. */
int program_exit(int status);
