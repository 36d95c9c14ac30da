/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Allegiance: which cluster this store belongs to, and which leader it follows.
 *
 * A store is bound to its cluster, under its number, when a master accepts its report for the first
 * time. From then on it follows one leader, the one that accepted the last report of this run of
 * the daemon: orders of others are refused. A leader is followed when it is durable that no earlier
 * one may be followed any more. From any thread. */

#include "base/macro.h"
#include "core/call/signature.h"
#include "store/object/objects.h"

typedef struct Allegiance Allegiance;

/* STORE is not owned. Returns 0, -EREMOTE if the store belongs to another volume than NUMBER, which
 * RETERR_NUMBER then is, or another negative errno. */
int allegiance_new(ObjectStore *store, uint32_t number, Allegiance **ret, uint32_t *reterr_number);

/* The store must have been freed before. */
Allegiance *allegiance_free(Allegiance *allegiance);
DEFINE_CLEANUP(Allegiance *, allegiance_free);

/* Of this store, and this start of the daemon. */
const StoreIdentity *allegiance_store(const Allegiance *allegiance);

/* Writes the leader that the store follows or, while that is not known, the last one that it
 * followed; zeroes if it does not belong to a cluster yet. Returns whether it follows that
 * leader now. */
bool allegiance_lead(Allegiance *allegiance, Leadership *ret);

/* Whether it follows LEAD by now. That has to be durable, which takes a while after
 * allegiance_accept(), and fails on a disk that does. */
bool allegiance_follows(Allegiance *allegiance, const Leadership *lead);

/* What tickets for this store say; 0 while it does not belong to a cluster. */
uint64_t allegiance_ticket_store(const Allegiance *allegiance);

/* The leader LEAD has accepted this volume's report. Returns 0 if the store follows it now, or
 * will as soon as that is durable; -EREMOTE if it leads another cluster; -EKEYREVOKED if another
 * leader has come after it. */
int allegiance_accept(Allegiance *allegiance, const Leadership *lead);

/* Checks an order, which is a call of a master. Returns 0 if it may be carried out; -EREMOTE if
 * it is meant for another store; -EKEYREVOKED if its leader leads no longer;
 * -EINPROGRESS if only the next report will tell. */
int allegiance_check_order(Allegiance *allegiance, const Parties *order);

/* Checks a call of another volume: whether it is meant for this store. Returns 0, -EREMOTE, or
 * -EINPROGRESS while the store does not belong to a cluster. */
int allegiance_check_receiver(Allegiance *allegiance, const Parties *call);

/* The same for the greeting of a master, which the store need not belong to yet. */
int allegiance_check_greeting(Allegiance *allegiance, const Parties *call);

/* Fills in who calls when this volume calls the master, with a new number. Returns whether there is
 * a leader that it follows. */
bool allegiance_call(Allegiance *allegiance, Parties *ret);
