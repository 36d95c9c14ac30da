/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Prober: greets each volume twice a second. So the master knows who is there and whether its calls
 * get through, even while there are no requests, and notices when they do again.
 *
 * The prober ends calls that wait for a volume which does not answer, and notes the troubles that
 * reports do not show. */

#include "master/link/greeting.h"
#include "rpc/peers.h"

typedef struct Prober Prober;

/* None of it is owned. */
typedef struct ProberOptions {
        Index *index;
        const char *directory; /* of the index */
        Lead *lead;
        Volumes *volumes;
        Troubles *troubles;
        HttpClient *client; /* that greetings are sent with */
        HttpClient *bulk;   /* another one, whose calls end as well when a volume is silent */
        Peers *peers;       /* likewise */
        const char *url;    /* as in GreetingsOptions */
} ProberOptions;

/* Starts probing, on EVENT. */
int prober_new(const ProberOptions *options, sd_event *event, Prober **ret);

/* Looks at once, to save the wait for the first tick. On the loop. */
void prober_start(Prober *prober);

/* Greets a volume now, unless that is under way. From any thread. */
void prober_hurry(Prober *prober, uint32_t volume);

/* The HTTP clients must have been freed before. */
Prober *prober_free(Prober *prober);
DEFINE_CLEANUP(Prober *, prober_free);
