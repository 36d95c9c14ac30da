/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The routes of a master on a server of their own, with a real index and cluster map, and volumes
 * that the test stands in for. Include after "test.h". */

#include <limits.h>

#include "base/clock.h"
#include "http/http.h"
#include "master/fake-volume.h"
#include "master/request/requests.h"
#include "rpc/gate.h"
#include "scratch.h"
#include "store/index/engine/index-internal.h"

#define SECRET     "0123456789abcdef"
#define N_VOLUMES  3
#define LARGE      (100 * KIB) /* does not fit WRITE_BUFFER_MAX */
#define GRACE_USEC USEC_PER_MIN
#define VALUE_MAX  (4 * MIB)

typedef struct World {
        char *directory;
        sd_event *event;
        Index *index;
        Volumes *volumes;
        Troubles *troubles;
        Lead *lead;
        Stale *stale;
        Prober *prober;
        Outbox *outbox;
        Secret *secret;
        HttpClient *client, *bulk;
        Loops *loops;
        Peers *peers;
        RpcService *calls;
        Requests requests;
        Fixture master;
        FakeVolume fakes[N_VOLUMES + 1]; /* by number, from 1 */
} World;

extern World world;

/* For cmocka: as many copies of each value as there are volumes, or one. */
int world_setup(void **state);
int world_setup_one_copy(void **state);
int world_teardown(void **state);

/* The settings that it starts with; configure() changes them. */
RequestSettings world_settings(void);
void configure(RequestSettings settings);

HttpServerOptions world_server(const HttpRoute *routes, void *userdata);

/* Waits until what was submitted to the index is done. */
void world_settle(void);

/* The volume reports, and the map that follows from that is in force. */
void world_report(const FakeVolume *fake);

/* Each request to the index is answered so from now on. */
void intercept(Interception interception);

/* Asks the master; HEADERS are lines. The answer is good until the next one. */
const char *ask(const char *method, const char *target, const char *headers, const char *body);
const char *get(const char *target);
const char *put(const char *target, const char *body);

/* The value of a header of the answer, in a static buffer; NULL if it is not there. */
const char *header_of(const char *answer, const char *name);

/* Which volume a redirect leads to; 0 for none of them. */
uint32_t volume_of(const char *answer);

/* The record of KEY as it is now; its strings are not to be looked at. */
Record record_of(const char *key);
