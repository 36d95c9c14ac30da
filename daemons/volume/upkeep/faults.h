/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Faults: what keeps this volume from storing values, and which other volumes it cannot reach.
 *
 * Whoever meets an error of the system when something is stored notes it here, and answers what he
 * gets for it. A thread of its own tests the store, also when nobody has met anything, so that a
 * fault is known soon and over soon. The reports tell the master, which places values elsewhere. */

#include "base/error.h"
#include "base/json.h"
#include "base/macro.h"

typedef struct VolumeDaemon VolumeDaemon;
typedef struct Faults Faults;

/* VOLUME, which is not owned, has its store. */
int faults_new(VolumeDaemon *volume, Faults **ret);

/* Ends the tests, before the clients are freed. */
void faults_stop(Faults *faults);

/* Before the store is freed, after the clients and all others that use this. */
Faults *faults_free(Faults *faults);
DEFINE_CLEANUP(Faults *, faults_free);

/* All that follows is for any thread. ERROR came from the store, when SIZE bytes were to be kept (0
 * if that is not known). Returns it, or in the place of an errno of the system, which would mean
 * something else to others, -ENOSPC, -EREMOTEIO or -EAGAIN. */
int faults_note(Faults *faults, int error, uint64_t size);

/* Returns 0 or, if nothing can be stored now, what is to be answered. */
int faults_check(Faults *faults);

/* How a call to another volume at AUTHORITY ("host:port") ended. One that failed is asked again,
 * until it answers. */
void faults_note_peer(Faults *faults, const char *authority, int error);

/* Whether values can be stored; why not is in the report. */
StoreFault faults_get(Faults *faults);

/* Adds the members "fault", "fault_detail" and "peers" of a report. */
void faults_add(Faults *faults, Json *report);
