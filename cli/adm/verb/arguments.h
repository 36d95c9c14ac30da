/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Arguments that several verbs take. */

#include <stdint.h>

/* Read the number of a volume or a job. Return 0 or EXIT_USAGE, having said what is wrong. */
int parse_volume(const char *argument, uint32_t *ret);
int parse_job(const char *argument, uint32_t *ret);
