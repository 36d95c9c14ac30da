/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Troubles: what the master knows to be wrong, from its property of that name. */

#include <systemd/sd-bus.h>

#include "base/json.h"
#include "frame/properties.h"

typedef struct TroubleView {
        char *name, *level, *sentence, *advice; /* owned */
        uint32_t volume;                        /* 0 for the cluster */
        uint64_t since;                         /* time of day in µs; 0 if it is not known */
} TroubleView;

typedef struct TroublesView {
        TroubleView *items; /* owned; the worst first */
        size_t n;
} TroublesView;

/* As a field of an object. */
extern const PropertyType property_troubles;

/* For programs. New, or NULL. */
Json *troubles_view_to_json(const TroublesView *view);
