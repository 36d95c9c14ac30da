/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Words: the content of a message as text, as busctl(1) takes and prints it: an array is its length
 * and its items, a variant its type and its value. */

#include "test.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

/* Takes one word off the front of TEXT, blanks or what stands between single quotes; a new string,
 * or NULL at the end. */
char *words_next(const char **text);

/* Appends values of these types. */
void words_append(sd_bus_message *message, const char *types, const char *text);

/* Prints " types words" of all that MESSAGE holds; nothing if it is empty. */
void words_print(FILE *file, sd_bus_message *message);
