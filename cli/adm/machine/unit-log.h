/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Unit log: what a unit of this machine has said in the journal. */

#include <stdint.h>

/* Prints on stderr the first error about UNITS ("dkv-volume@1.service", ..., NULL) that was logged
 * since SINCE_USEC, a time of day in µs; later errors mostly follow from the first. Prints nothing
 * if there is none, or if the journal cannot be read. */
void unit_log_print(char *const units[], uint64_t since_usec);
