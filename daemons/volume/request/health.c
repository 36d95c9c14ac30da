/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "volume/request/health.h"

#define ID_SIZE (2 * sizeof(uint64_t) + 1)

static const char *format_id(uint64_t id, char ret[static ID_SIZE]) {
        (void) snprintf(ret, ID_SIZE, "%" PRIx64, id);
        return ret;
}

/* Who this is, and whom it follows or was the last to follow. */
static void add_identity(Allegiance *allegiance, Json *health) {
        const StoreIdentity *self = allegiance_store(allegiance);
        char uuid[2 * sizeof(Uuid) + 1] = "", cluster[2 * CLUSTER_ID_SIZE + 1] = "";
        char id[ID_SIZE];
        Leadership lead;

        (void) allegiance_lead(allegiance, &lead);
        format_hex(self->uuid, sizeof(self->uuid), uuid);
        json_add_string(health, "uuid", uuid);
        json_add_string(health, "run", format_id(self->run, id));
        if (cluster_id_is_null(lead.cluster))
                return;

        format_hex(lead.cluster, sizeof(lead.cluster), cluster);
        json_add_string(health, "cluster", cluster);
        json_add_uint(health, "term", lead.term);
        json_add_string(health, "leader", format_id(lead.leader, id));
}

int health_finish(const HealthOptions *options, HttpRequest *request) {
        const Copies *copies = options->copies;
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_free_ char *text = NULL;
        ObjectStoreCounters counters;
        int r;

        r = object_store_counters(copies->store, &counters);
        if (r < 0)
                return r;

        json_add_string(health, "status", "ok");
        json_add_string(health, "version", DKV_VERSION);
        json_add_uint(health, "number", allegiance_store(options->allegiance)->number);
        json_add_uint(health, "objects", counters.objects);
        json_add_uint(health, "bytes", counters.bytes);
        json_add_uint(health, "free", counters.disk_free);
        json_add_uint(health, "size", counters.disk_size);
        json_add_uint(health, "pending", pending_count(copies->pending));
        json_add_bool(health, "master", report_is_accepted(options->report));
        add_identity(options->allegiance, health);

        text = json_format(health, false);
        if (!text)
                return -ENOMEM;
        return http_request_reply_data(request, 200, "application/json", text, strlen(text));
}
