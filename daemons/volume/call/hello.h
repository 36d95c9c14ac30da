/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hello: a master asks who is at this address, and whom the volume follows. If that is another
 * master, the volume reports within the second, so that the next answer tells who is alive. */

#include "http/request.h"
#include "volume/link/caller.h"
#include "volume/upkeep/report.h"

/* None of it is owned. */
typedef struct HelloOptions {
        const Callers *callers;
        const Report *report;
} HelloOptions;

/* For the route table, behind caller_begin_greeting(). */
int hello_finish(const HelloOptions *options, HttpRequest *request);
