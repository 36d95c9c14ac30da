/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Seat: the place of this master in a group of masters. It brings what the group decides
 * (master/group) to the index, what the index proposes to the group, and what becomes of the
 * election to the lead: which master leads, that this one does, that it does no longer. */

#include <systemd/sd-event.h>

#include "master/group/group.h"
#include "master/lead/lead.h"
#include "master/seat/seat-file.h"
#include "store/index/group.h"

typedef struct Seat Seat;

/* None of it is owned. */
typedef struct SeatOptions {
        const char *directory; /* of the master; the log is in entries/ there */
        sd_event *event;
        Peers *peers;

        /* This master was elected, and the index is ready for it: from now on it leads, until the
         * process ends. Once, on the event loop. Returns 0, or a negative errno that was logged:
         * then the lead is given up. */
        int (*on_elected)(void *userdata);
        void *userdata;
} SeatOptions;

/* FILE is copied. Returns 0 or a negative errno. */
int seat_new(const SeatOptions *options, const SeatFile *file, Seat **ret);

/* What the index is opened with; good as long as SEAT. */
const IndexGroup *seat_index_group(const Seat *seat);

/* Opens the log, which is made at the very first start, and takes part. INDEX and LEAD are not
 * owned. Errors are logged. */
int seat_start(Seat *seat, Index *index, Lead *lead);

/* NULL before it is started. */
Group *seat_group(const Seat *seat);

/* Of this master, as the group knows it. Not before it is started. */
const char *seat_url(const Seat *seat);

/* Ends the group's threads: nothing more is decided. Before the end of the index; after that of the
 * peers, and of the server. Accepts NULL. */
void seat_stop(Seat *seat);

/* After the end of the loops. Accepts NULL. */
Seat *seat_free(Seat *seat);
DEFINE_CLEANUP(Seat *, seat_free);
