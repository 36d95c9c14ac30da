/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which run of a store is the volume.
 *
 * The master knows it from the reports of this term only. Of two runs of the same store the older
 * one stays as long as it is up, unless it is the newer one that answers at their address: then it
 * was restarted. */

#include "base/uuid.h"
#include "core/call/identity.h"
#include "master/cluster/volumes.h"
#include "master/lead/judge.h"

typedef struct Live Live;

/* Whether the report is of the run that is the volume, or of one that becomes it now. Returns 0 or
 * what volumes_report() says. With the lock held. */
int run_check(const Volumes *volumes, Live *live, const VolumeReport *report);

/* From now on it is the volume. With the lock held for writing. Returns 0 or -ENOMEM. */
int run_take(Live *live, const VolumeReport *report);

/* The store that the map has under NUMBER, of any run. Returns 0 or -ENOENT. */
int volumes_store(Volumes *volumes, uint32_t number, StoreIdentity *ret);

/* Who the parties of an order to the volume are, with the order's number, and where the volume is.
 * Returns 0, -ENOENT, -EHOSTDOWN if it is down, -EINPROGRESS if it has not reported in this term
 * yet. */
int volumes_receiver(
                Volumes *volumes,
                uint32_t number,
                Parties *ret,
                char ret_url[static VOLUME_URL_SIZE]);

/* Whether the last call to the volume got through. */
bool volumes_is_reached(const Volumes *volumes, uint32_t number);

/* Somebody at the volume's address has said that it is this store, and this run of it. */
void volumes_note_answer(Volumes *volumes, const StoreIdentity *store);

/* Looks at who calls. Returns 0 if that is the volume; -EINPROGRESS if it has to report first;
 * -EREMOTE if it is another store. */
int volumes_check_caller(Volumes *volumes, const StoreIdentity *from);

/* Whether another run than the one that reports is the volume, and is up elsewhere: what reports is
 * a copy then, and what it has seen says nothing about the index. */
bool volumes_has_other_run(Volumes *volumes, const VolumeReport *report);

/* What the map says of the store that has UUID and reports as NUMBER. */
LeadMember volumes_find_store(Volumes *volumes, uint32_t number, const Uuid uuid);

/* How many volumes there are that may hold values. */
size_t volumes_count_used(Volumes *volumes);
