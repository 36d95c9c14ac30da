/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the master knows to be wrong, by its property Troubles. */

#include <systemd/sd-bus.h>

#include "base/json.h"

typedef struct TroubleView {
        char *name, *level, *sentence, *advice; /* owned */
        uint32_t volume;                        /* 0 for the cluster */
        uint64_t since;                         /* time of day in µs; 0 if it is not known */
} TroubleView;

typedef struct TroublesView {
        TroubleView *items; /* owned; the worst first */
        size_t n;
} TroublesView;

#define TROUBLES_TYPE "a(ssutss)"

/* Reads the array at which MESSAGE stands, in the place of what VIEW has. */
int troubles_view_read(sd_bus_message *message, TroublesView *view);
void troubles_view_done(TroublesView *view);

/* For programs. New, or NULL. */
Json *troubles_view_to_json(const TroublesView *view);
