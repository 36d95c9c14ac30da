/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Stale: stores that went back in time, because an older copy of a volume's directory was put in
 * its place.
 *
 * A report shows it: the store has never had a version that was committed with a copy there, or has
 * stored fewer objects than it had before. From then on its copies are the last choice for readers,
 * until every key that names one was looked up there, by a thread of this module; what is missing
 * gets a mark (store/index/damage.h), and is made again by a repair. The volume, for its part, asks
 * about everything that it has, so that what was deleted in the meantime is deleted once more. It
 * is remembered in the index, and begins again after a restart.
 *
 * The same, but for the choice of readers, is done with each volume when an index that is older
 * than the volumes was accepted (store/index/rollback.h): what it asks about and the index names
 * without this copy is known again from then on. And with a volume that has damaged pages in its
 * database: it does not know what was in them. */

#include "core/record.h"
#include "master/cluster/volumes.h"
#include "master/lead/lead.h"
#include "master/trouble/trouble.h"
#include "rpc/peers.h"

typedef struct Stale Stale;

/* None of it is owned. */
typedef struct StaleOptions {
        Index *index;
        const Lead *lead; /* nothing is looked up unless it leads */
        Volumes *volumes;
        Troubles *troubles;
        Peers *peers;
} StaleOptions;

/* Loads what is known, and starts the thread. */
int stale_new(const StaleOptions *options, Stale **ret);

/* Ends the thread. Comes before the end of the clients. */
void stale_stop(Stale *stale);

/* After the index was freed, whose changes it waits for. */
Stale *stale_free(Stale *stale);
DEFINE_CLEANUP(Stale *, stale_free);

/* Judges a report of a volume of the map. */
void stale_hear(Stale *stale, const VolumeReport *report);

/* Which copies of RECORD readers are to avoid for this reason: bit I stands for copies[I]. One
 * atomic load as long as there is no such store; 0 without STALE. */
unsigned stale_avoid(Stale *stale, const Record *record);

/* What the volume is to ask about: everything up to a version. TOKEN tells one time from another.
 * Returns whether there is anything. */
bool stale_sweep(Stale *stale, uint32_t volume, uint64_t *ret_token, uint64_t *ret_version);
