/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Options of dkv-bench: a table, which also is the help text. */

#include "base/conf.h"

typedef struct Options {
        ConfOrigins origins;
        uint64_t connections;
        uint64_t threads;
        uint64_t duration_usec; /* 0 for no limit */
        uint64_t count;         /* 0 for no limit */
        uint64_t rate;          /* 0 for no limit */
        uint64_t timeout_usec;
        uint64_t retry_usec;
        char *size;
        char *pattern;
        char *prefix;
        char *acknowledged; /* "" for none */
        uint64_t keys;
        uint64_t seed;
        uint64_t read_percent;
        bool verify;
        bool follow;
        bool expect;
        bool chunked;
        bool raw;
        bool tickets;
        bool allow_errors;
        bool json;
        bool progress;
        bool help;
        bool version;
} Options;

/* Takes the options out of ARGV, wherever they stand, and leaves the other arguments in it. Returns
 * how many these are; or -EINVAL, having said what is wrong. */
int options_parse(Options *options, int argc, char *argv[]);
void options_done(Options *options);

/* The part of the help text that describes the options. */
void options_print_help(void);

/* Whether the word is an option whose value is the next word. */
bool options_wait_for_value(const char *word);

/* Completes the last word, for the shells, if it is an option or the value of one; see
 * completion.h. Returns whether it is. */
bool options_print_completion(int argc, char *const argv[]);
