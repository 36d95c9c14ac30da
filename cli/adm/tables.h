/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables: the verbs and options of dkvadm, which also are its help text. The values of the options
 * go to a Context. */

#include "frame/verbs.h"

extern const Option adm_options[];
extern const Verb adm_verbs[];

/* Prints the help text, or that of the verbs whose names begin with the words. Returns 0, or
 * EXIT_USAGE if there is no such verb, having said so. */
int print_help(int n_words, char *const words[]);
