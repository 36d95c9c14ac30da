/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "master/health/look.h"
#include "master/link/caller.h"
#include "master/request/damage-call.h"
#include "master/request/json-reply.h"
#include "master/request/read.h"
#include "master/request/remove.h"
#include "master/request/requests.h"
#include "master/request/routes.h"
#include "master/request/volume-calls.h"
#include "master/request/write.h"
#include "master/upkeep/damage.h"
#include "rpc/rpc.h"

/* What a volume has not reported since the master's start, nobody knows. */
static int add_figures(Json *volume, const VolumeStatus *status) {
        int r;

        if (status->disk_free == UINT64_MAX)
                return 0;

        r = json_add_uint(volume, "free", status->disk_free);
        r = r < 0 ? r : json_add_uint(volume, "size", status->disk_size);
        r = r < 0 ? r : json_add_uint(volume, "objects", status->objects);
        r = r < 0 ? r : json_add_uint(volume, "bytes", status->bytes);
        return r < 0 ? r : json_add_uint(volume, "pending", status->pending);
}

static int add_volume(Json *volumes, const VolumeStatus *status) {
        Json *volume = json_new_object();
        int r;

        r = json_add_uint(volume, "number", status->number);
        r = r < 0 ? r : json_add_string(volume, "state", volume_state_to_string(status->state));
        r = r < 0 ? r : json_add_bool(volume, "up", status->reports);
        r = r < 0 ? r : json_add_bool(volume, "maintenance", status->maintenance_until > 0);
        r = r < 0 ? r : json_add_string(volume, "url", status->url);
        r = r < 0 ? r : json_add_string(volume, "zone", status->zone);
        r = r < 0 ? r : json_add_uint(volume, "weight", status->weight);
        r = r < 0 ? r : add_figures(volume, status);
        if (r < 0) {
                (void) json_free(volume);
                return r;
        }
        return json_append(volumes, volume);
}

static int add_trouble(const TroubleWords *words, void *userdata) {
        Json *troubles = userdata, *trouble = json_new_object();
        int r;

        r = json_add_string(trouble, "trouble", words->name);
        r = r < 0 ? r : json_add_string(trouble, "level", words->level);
        if (words->trouble->volume > 0)
                r = r < 0 ? r : json_add_uint(trouble, "volume", words->trouble->volume);
        r = r < 0 ? r : json_add_uint(trouble, "since", words->trouble->since_usec);
        r = r < 0 ? r : json_add_string(trouble, "sentence", words->sentence);
        r = r < 0 ? r : json_add_string(trouble, "advice", words->advice);
        if (r < 0) {
                (void) json_free(trouble);
                return r;
        }
        return json_append(troubles, trouble);
}

static int add_lists(Json *health, const HealthLook *look) {
        _cleanup_(json_freep) Json *volumes = json_new_array(), *troubles = json_new_array();
        int r = 0;

        for (size_t i = 0; i < look->input.n_volumes && r >= 0; i++)
                r = add_volume(volumes, look->volumes + i);
        r = r < 0 ? r : health_look_each(look, add_trouble, troubles);
        r = r < 0 ? r : json_add(health, "troubles", TAKE_PTR(troubles));
        return r < 0 ? r : json_add(health, "volumes", TAKE_PTR(volumes));
}

static int health_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_(health_look_done) HealthLook look = {};
        const Health *state = &look.health;
        IndexCounters counters;
        int r;

        r = health_look(requests->volumes, requests->troubles, &look);
        if (r < 0)
                return r;
        index_counters(requests->index, &counters);

        r = json_add_string(health, "status", health_level_to_string(state->level));
        r = r < 0 ? r : json_add_string(health, "reason", state->reason);
        r = r < 0 ? r : json_add_string(health, "advice", state->advice);
        r = r < 0 ? r : json_add_string(health, "version", DKV_VERSION);
        r = r < 0 ? r : json_add_uint(health, "epoch", look.epoch);
        r = r < 0 ? r : json_add_uint(health, "keys", counters.keys);
        r = r < 0 ? r : json_add_uint(health, "bytes", counters.bytes);
        r = r < 0 ? r : json_add_uint(health, "garbage", counters.garbage);
        r = r < 0 ? r : json_add_uint(health, "copies", look.copies);
        r = r < 0 ? r : add_lists(health, &look);
        return r < 0 ? r
                     : http_text_reply(request, state->level == HEALTH_DOWN ? 503 : 200, health);
}

/* clang-format off */
const HttpRoute master_routes[] = {
        { "GET",    "/-/health",  HTTP_PUBLIC, .finish = health_finish                             },
        { "GET",    "/-/where/",  HTTP_CLIENT, .finish = read_where_finish                         },
        RPC_ROUTE(REPORT,  caller_begin_report, peer_report_finish, peer_refuse_report),
        RPC_ROUTE(COMMIT,  peer_begin,          peer_commit_finish, caller_refuse),
        RPC_ROUTE(DAMAGED, peer_begin,          damage_call_finish, caller_refuse),
        RPC_ROUTE(SETTLE,  peer_begin,          peer_settle_finish, caller_refuse),
        { "HEAD",   "/",          HTTP_CLIENT, .finish = read_head_finish                          },
        { "GET",    "/",          HTTP_CLIENT, .finish = read_get_finish, .end = read_end          },
        { "PUT",    "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "POST",   "/",          HTTP_CLIENT, write_begin, write_body, write_finish, write_end    },
        { "DELETE", "/",          HTTP_CLIENT, .finish = remove_finish, .end = remove_end          },
        {}
};
/* clang-format on */
