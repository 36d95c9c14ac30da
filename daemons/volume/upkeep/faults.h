/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Faults: what keeps this volume from storing values, and which other volumes it cannot reach.
 *
 * A module that gets an error of the system while it stores something notes it here, and answers
 * with what this returns. A thread tests the store all the time, so that a fault and its end are
 * known soon, even if nobody stores anything. The reports tell the master, which places values
 * elsewhere. */

#include "base/error.h"
#include "base/json.h"
#include "base/macro.h"
#include "rpc/client.h"
#include "store/object/objects.h"

typedef struct Faults Faults;

/* None of it is owned, and all of it must outlive the faults. */
typedef struct FaultsOptions {
        ObjectStore *store;
        HttpClient *client;    /* asks volumes that could not be reached */
        const char *directory; /* of the store, for messages */
        uint32_t number;       /* of this volume */
} FaultsOptions;

/* Starts the tests. Returns 0 or a negative errno. */
int faults_new(const FaultsOptions *options, Faults **ret);

/* Ends the tests; before the HTTP client is freed. Accepts NULL. */
void faults_stop(Faults *faults);

/* Before the store is freed, and after the client and all other users of this. Accepts NULL. */
Faults *faults_free(Faults *faults);
DEFINE_CLEANUP(Faults *, faults_free);

/* The rest is for any thread. ERROR came from the store when SIZE bytes (0 if that is not known)
 * were to be stored. Returns it; or, instead of an errno of the system, which would mean something
 * else to others: -ENOSPC, -EREMOTEIO or -EAGAIN. */
int faults_note(Faults *faults, int error, uint64_t size);

/* Returns 0 or, if nothing can be stored now, what is to be answered: -ENOSPC, -EREMOTEIO or
 * -EAGAIN. */
int faults_check(Faults *faults);

/* How a call to another volume, at AUTHORITY ("host:port"), ended: 0 or a negative errno. One that
 * could not be reached is asked again until it answers. */
void faults_note_peer(Faults *faults, const char *authority, int error);

/* What keeps values from being stored; the report says more. */
StoreFault faults_get(Faults *faults);

/* Adds the members "fault", "fault_detail" and "peers" of a report. */
void faults_add(Faults *faults, Json *report);
