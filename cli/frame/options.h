/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Options: those of a program as a table, which also is their part of the help text. */

#include <stdio.h>

#include "base/macro.h"

typedef enum OptionType {
        OPTION_FLAG,   /* bool, set to true; takes no argument */
        OPTION_TEXT,   /* const char *, points into argv */
        OPTION_NUMBER, /* uint64_t, from 1 on */
        OPTION_CHOICE, /* unsigned, an index into the choices */
} OptionType;

typedef struct Option {
        char letter;      /* '\0' for none */
        const char *name; /* without the dashes */
        OptionType type;
        size_t offset;              /* of the field to store to */
        const char *argument;       /* as the help text calls it; NULL for a flag */
        const char *help;           /* one sentence without the full stop */
        const char *const *choices; /* ends in NULL */
        bool special;               /* only for verbs that name it, see verbs.h */
} Option;

#define OPTIONS_MAX 63

/* Takes the options out of ARGV, which it permutes, wherever they stand in front of a "--", and
 * sets the fields of VALUES.
 *
 * Returns the index of the first argument that is left, with a bit in RET_GIVEN for each row that
 * was used; or -EINVAL, having said what is wrong. */
int options_parse(
                const Option options[], int argc, char *argv[], void *values, uint64_t *ret_given);

/* The row of this name, or NULL. */
const Option *options_find(const Option options[], const char *name);

/* Prints one line of help. */
void option_print_help(const Option *option, FILE *file);
