/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* StandIn: a private bus with one peer that has the names of the daemons and of systemd. It answers
 * each call as a table says, and notes it. There is one in a process. */

#include "test.h"

#include <stdbool.h>
#include <systemd/sd-bus.h>

/* What a call is answered with. Values are words as busctl(1) takes them; a word with blanks stands
 * between single quotes. */
typedef struct Answer {
        const char *member;
        const char *path;  /* NULL for any */
        const char *error; /* the name of an error, whose message is TEXT; NULL for a reply */
        const char *types, *text;
        unsigned times; /* how many calls it is for, 0 for all */

        /* A signal that follows the reply, on the same object and interface; NULL for none. */
        const char *signal, *signal_types, *signal_text;
} Answer;

#define ANSWERS_MAX 12

/* Returns the address of the bus, or NULL if there is no dbus-daemon on this machine. */
const char *stand_in_start(void);
void stand_in_stop(void);

/* The same, once it has been started. */
const char *stand_in_address(void);

/* From now on the first of ANSWERS that fits counts; a table that is not full ends with {}. A call
 * that none fits gets the error org.freedesktop.DBus.Error.UnknownMethod. Forgets the calls. */
void stand_in_set(const Answer answers[static ANSWERS_MAX]);

/* What was called: a line "Member path-behind-the-last-slash types words" for each call. */
const char *stand_in_calls(void);

/* Takes the names off the bus, as if the daemons had ended; stand_in_set() brings them back. */
void stand_in_leave(void);

/* Whether TEXT is as PATTERN, in which each * stands for any text. */
bool matches(const char *pattern, const char *text);

/* Fails with both of them unless TEXT is as PATTERN. */
void assert_matches(const char *text, const char *pattern);
