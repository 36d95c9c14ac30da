/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "master/request/health.h"
#include "base/json.h"
#include "master/health/snapshot.h"
#include "master/request/json-reply.h"
#include "master/request/requests.h"

/* Nobody knows the figures of a volume that has not reported since the master's start. */
static void add_figures(Json *volume, const VolumeStatus *status) {
        if (status->disk_free == UINT64_MAX)
                return;

        json_add_uint(volume, "free", status->disk_free);
        json_add_uint(volume, "size", status->disk_size);
        json_add_uint(volume, "objects", status->objects);
        json_add_uint(volume, "bytes", status->bytes);
        json_add_uint(volume, "pending", status->pending);
}

static void add_volume(Json *volumes, const VolumeStatus *status) {
        Json *volume = json_new_object();

        json_add_uint(volume, "number", status->number);
        json_add_string(volume, "state", volume_state_to_string(status->state));
        json_add_bool(volume, "up", status->reports);
        json_add_bool(volume, "maintenance", status->maintenance_until > 0);
        json_add_string(volume, "url", status->url);
        json_add_string(volume, "zone", status->zone);
        json_add_uint(volume, "weight", status->weight);
        add_figures(volume, status);
        json_append(volumes, volume);
}

static int add_trouble(const TroubleWords *words, void *userdata) {
        Json *troubles = userdata, *trouble = json_new_object();

        json_add_string(trouble, "trouble", words->name);
        json_add_string(trouble, "level", words->level);
        if (words->trouble->volume > 0)
                json_add_uint(trouble, "volume", words->trouble->volume);
        json_add_uint(trouble, "since", words->trouble->since_usec);
        json_add_string(trouble, "sentence", words->sentence);
        json_add_string(trouble, "advice", words->advice);
        json_append(troubles, trouble);
        return 0;
}

static void add_lists(Json *health, const HealthSnapshot *snapshot) {
        Json *volumes = json_new_array(), *troubles = json_new_array();

        for (size_t i = 0; i < snapshot->input.n_volumes; i++)
                add_volume(volumes, snapshot->volumes + i);
        (void) health_snapshot_each(
                        snapshot, add_trouble, troubles); /* which the document remembers */
        json_add(health, "troubles", troubles);
        json_add(health, "volumes", volumes);
}

static void add_index(Json *health, Index *index) {
        IndexCounters counters;

        index_counters(index, &counters);
        json_add_uint(health, "keys", counters.keys);
        json_add_uint(health, "bytes", counters.bytes);
        json_add_uint(health, "garbage", counters.garbage);
}

/* Of the cluster the one that leads knows more. */
static int reply_following(Requests *requests, HttpRequest *request) {
        _cleanup_(json_freep) Json *health = json_new_object();
        char leader[LEAD_URL_SIZE], reason[LEAD_REASON_SIZE];

        lead_leader(requests->lead, leader);
        lead_reason(requests->lead, reason);
        json_add_string(health, "status",
                        health_level_to_string(*leader ? HEALTH_OK : HEALTH_DOWN));
        json_add_string(health, "reason", reason);
        json_add_string(health, "advice", "");
        json_add_string(health, "version", DKV_VERSION);
        json_add_string(health, "role", "follower");
        json_add_string(health, "leader", leader);
        add_index(health, requests->index);
        json_add(health, "troubles", json_new_array());
        json_add(health, "volumes", json_new_array());
        return json_reply(request, *leader ? 200 : 503, health);
}

int health_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_(health_snapshot_done) HealthSnapshot snapshot = {};
        const Health *state = &snapshot.health;
        int r;

        if (lead_is_following(requests->lead))
                return reply_following(requests, request);

        r = health_snapshot(requests->volumes, requests->troubles, &snapshot);
        if (r < 0)
                return r;
        json_add_string(health, "status", health_level_to_string(state->level));
        json_add_string(health, "reason", state->reason);
        json_add_string(health, "advice", state->advice);
        json_add_string(health, "version", DKV_VERSION);
        if (lead_is_shared(requests->lead))
                json_add_string(health, "role", "leader");
        json_add_uint(health, "epoch", snapshot.epoch);
        add_index(health, requests->index);
        json_add_uint(health, "copies", snapshot.copies);
        add_lists(health, &snapshot);
        return json_reply(request, state->level == HEALTH_DOWN ? 503 : 200, health);
}
