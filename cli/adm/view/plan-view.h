/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PlanView: what a change would move, as the method Plan() tells, see org.dkv.Master1(5). */

#include <systemd/sd-bus.h>

#include "frame/table.h"

typedef struct PlanMove {
        uint32_t source, target; /* 0 for none */
        uint64_t keys, bytes;
} PlanMove;

typedef struct PlanVolume {
        uint32_t number;
        uint64_t before, after, free; /* in bytes; free is UINT64_MAX if unknown */
} PlanVolume;

typedef struct PlanView {
        PlanMove *moves; /* owned */
        size_t n_moves;
        PlanVolume *volumes; /* owned */
        size_t n_volumes;
        uint64_t keys, bytes, all_keys, lost_keys, epoch;
        uint64_t waits_until; /* a time of day; 0 if the job need not wait */
} PlanView;

/* Reads the reply. */
int plan_view_read(sd_bus_message *reply, PlanView *ret);
void plan_view_done(PlanView *plan);

/* As people and programs read it; RATE is the limit that the job would have, 0 for none. New, or
 * NULL. */
char *plan_view_format(const PlanView *plan, uint64_t rate, const TableLook *look);
Json *plan_view_to_json(const PlanView *plan, uint64_t rate);
