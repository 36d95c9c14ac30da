/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* View: what the master says about itself and all volumes, and what a volume says about itself. */

#include <systemd/sd-bus.h>

#include "adm/view/troubles.h"
#include "base/macro.h"
#include "core/metrics.h"
#include "core/traffic.h"

/* As the master sees it. */
typedef struct VolumeView {
        uint32_t number, weight;
        char *uuid, *url, *zone, *state;
        bool up, nearly_full;
        uint64_t maintenance_until; /* 0 for none, UINT64_MAX without end */
        uint64_t last_seen;         /* time of day in µs; 0 for never */
        uint64_t disk_free, disk_size, objects, bytes, pending;
} VolumeView;

#define VIEW_FIELD(field, ...) uint64_t field;

typedef struct View {
        char *version, *directory, *listen, *health, *health_reason, *health_advice;
        uint64_t started_at, epoch;
        MASTER_METRICS(VIEW_FIELD)
        uint32_t copies;
        Traffic traffic;
        TroublesView troubles;
        VolumeView *volumes; /* owned; ordered by number */
        size_t n_volumes;
        uint64_t taken; /* CLOCK_MONOTONIC */
} View;

View *view_free(View *view);
DEFINE_CLEANUP(View *, view_free);

/* Asks for a view, without starting a master. on_view() is called once, from the loop of the bus,
 * with a View that the callee then owns, or with a negative errno and the error of the bus. */
typedef struct ViewQuestion ViewQuestion;
typedef void (*ViewDone)(View *view, int result, const sd_bus_error *error, void *userdata);
int view_ask(sd_bus *bus, ViewDone on_view, void *userdata, ViewQuestion **ret);

/* Forgets the question: on_view() will not be called. */
ViewQuestion *view_question_free(ViewQuestion *question);
DEFINE_CLEANUP(ViewQuestion *, view_question_free);

/* The same, waiting for the answer. */
int view_get(sd_bus *bus, sd_bus_error *reterr_error, View **ret);

/* The volume of this number, or NULL. */
const VolumeView *view_find(const View *view, uint32_t number);

/* A daemon dkv-volume on this bus. */
typedef struct StoreView {
        char *version, *uuid, *directory, *listen, *url, *zone, *master;
        char *master_error; /* why the master refuses it; empty if it does not, or is not known */
        uint32_t number;
        uint64_t started_at, pending;
        STORE_METRICS(VIEW_FIELD)
        bool master_accepts;
        Traffic traffic;
} StoreView;

/* All volumes that are on the bus and answer, ordered by number; there may be none. */
int stores_get(sd_bus *bus, StoreView **ret, size_t *ret_n);
void stores_free(StoreView *stores, size_t n);
