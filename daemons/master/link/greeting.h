/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Greeting: asks the daemon at the address of a volume who it is, and whom it follows.
 *
 * Another daemon at that address is a trouble. A volume that follows another leader, which is
 * alive, ends this master: the later of two always, the earlier one if that stays so. In a group
 * the term says who leads: the volume is told where this master is, and who has a lower term ends.
 */

#include "master/cluster/volumes.h"
#include "master/lead/lead.h"
#include "master/trouble/trouble.h"
#include "rpc/signed-call.h"

typedef struct Greetings Greetings;

/* None of it is owned. */
typedef struct GreetingsOptions {
        Index *index;
        Lead *lead;
        Volumes *volumes;
        Troubles *troubles;
        HttpClient *client;
        const char *url; /* of this master, in a group; NULL if it is alone */
} GreetingsOptions;

int greetings_new(const GreetingsOptions *options, Greetings **ret);

/* The HTTP client must have been freed before. */
Greetings *greetings_free(Greetings *greetings);
DEFINE_CLEANUP(Greetings *, greetings_free);

/* Makes the call; ON_DONE(), which must call greeting_judge(), as with signed_call(). From any
 * thread. Returns 0, -EALREADY while a greeting of the volume is under way, -ENOENT if the map does
 * not have it, or another negative errno. */
int greeting_send(
                Greetings *greetings,
                uint32_t volume,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata);

/* Draws the conclusions from its answer. Returns 0 if the volume is there; -EREMOTE if somebody
 * else is; what ended the call if nobody answered. */
int greeting_judge(Greetings *greetings, uint32_t volume, HttpCall *call, const HttpResult *result);
