/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report: prints a tally, for people or as JSON. */

#include "bench/result/tally.h"

/* How many operations failed, including missing keys and wrong bytes. */
uint64_t report_failures(const Tally *tally) _pure_;

void report_print(const Options *options, const char *verb, const char *url, const Tally *tally);

/* Returns 0, -ENOMEM or -EIO. */
int report_print_json(
                const Options *options, const char *verb, const char *url, const Tally *tally);
