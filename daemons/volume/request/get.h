/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Get: sends a value to a client with a ticket.
 *
 * Small values are verified before they are sent, others block by block (value-stream.h), or as
 * a whole on the verifier's thread if the client asks for it. If a copy turns out to be damaged,
 * the client is sent back to the master once the master knows of it. A reader without a ticket
 * followed a relative link of a page that it read here, and is sent to the master. */

#include "http/server.h"
#include "store/object/workers.h"
#include "volume/link/caller.h"
#include "volume/upkeep/copies.h"

/* None of it is owned; it outlives the requests. */
typedef struct GetOptions {
        const Callers *callers;
        const Copies *copies;
        Workers *workers; /* may block on the disk */
} GetOptions;

/* For the route table. */
int get_finish(const GetOptions *options, HttpRequest *request);
int get_refuse(const GetOptions *options, HttpRequest *request, int error);
void get_end(HttpRequest *request);
