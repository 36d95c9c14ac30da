/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "http-text.h"
#include "master-http.h"
#include "master.h"
#include "net/rpc.h"
#include "peer.h"
#include "read.h"
#include "remove.h"
#include "write.h"

static int add_volume(Json *volumes, const VolumeStatus *status) {
        Json *volume = json_new_object();
        int r;

        r = json_add_uint(volume, "number", status->number);
        r = r < 0 ? r : json_add_string(volume, "state", volume_state_to_string(status->state));
        r = r < 0 ? r : json_add_bool(volume, "up", status->up);
        r = r < 0 ? r : json_add_string(volume, "url", status->url);
        r = r < 0 ? r : json_add_string(volume, "zone", status->zone);
        r = r < 0 ? r : json_add_uint(volume, "weight", status->weight);
        r = r < 0 ? r : json_add_uint(volume, "free", status->disk_free);
        r = r < 0 ? r : json_add_uint(volume, "size", status->disk_size);
        r = r < 0 ? r : json_add_uint(volume, "objects", status->objects);
        r = r < 0 ? r : json_add_uint(volume, "bytes", status->bytes);
        r = r < 0 ? r : json_add_uint(volume, "pending", status->pending);
        if (r < 0) {
                (void) json_free(volume);
                return r;
        }
        return json_append(volumes, volume);
}

/* Everything is well, or something needs a look, or nothing can be stored. */
typedef struct HealthLevel {
        const char *name;
        unsigned http_status;
} HealthLevel;

static const HealthLevel health_ok = { "ok", 200 }, health_degraded = { "degraded", 200 },
                         health_down = { "down", 503 };

static const HealthLevel *health_of(const VolumeStatus *volumes, size_t n, uint64_t copies) {
        size_t n_active = 0, n_up = 0;

        for (size_t i = 0; i < n; i++) {
                bool active = volumes[i].state == VOLUME_ACTIVE;

                n_active += active;
                n_up += active && volumes[i].up;
        }
        if (n_up <= copies / 2)
                return &health_down;
        return n_up < n_active || n_up < copies ? &health_degraded : &health_ok;
}

static int health_finish(HttpRequest *request) {
        Master *master = http_request_userdata(request);
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_free_ VolumeStatus *volumes = NULL;
        Json *list;
        IndexCounters counters;
        const HealthLevel *level;
        uint64_t epoch;
        size_t n;
        int r;

        r = volumes_list(master->volumes, &volumes, &n, &epoch);
        if (r < 0)
                return r;
        index_counters(master->index, &counters);
        level = health_of(volumes, n, master->conf.copies);

        r = json_add_string(health, "status", level->name);
        r = r < 0 ? r : json_add_string(health, "version", DKV_VERSION);
        r = r < 0 ? r : json_add_uint(health, "epoch", epoch);
        r = r < 0 ? r : json_add_uint(health, "keys", counters.keys);
        r = r < 0 ? r : json_add_uint(health, "bytes", counters.bytes);
        r = r < 0 ? r : json_add_uint(health, "garbage", counters.garbage);
        r = r < 0 ? r : json_add_uint(health, "copies", master->conf.copies);

        list = json_new_array();
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_volume(list, volumes + i);
        if (r < 0) {
                (void) json_free(list);
                return r;
        }
        r = json_add(health, "volumes", list);
        return r < 0 ? r : http_text_reply(request, level->http_status, health);
}

/* clang-format off */
const HttpRoute master_routes[] = {
        { "GET",    "/-/health",  .finish = health_finish                                        },
        { "GET",    "/-/where/",  .finish = read_where_finish                                    },
        { "POST",   "/-/report",  rpc_begin,   rpc_body,   peer_report_finish, rpc_end           },
        { "POST",   "/-/commit",  rpc_begin,   rpc_body,   peer_commit_finish, rpc_end           },
        { "POST",   "/-/settle",  rpc_begin,   rpc_body,   peer_settle_finish, rpc_end           },
        { "HEAD",   "/",          .finish = read_head_finish                                     },
        { "GET",    "/",          .finish = read_get_finish, .end = read_end                     },
        { "PUT",    "/",          write_begin, write_body, write_finish,       write_end         },
        { "POST",   "/",          write_begin, write_body, write_finish,       write_end         },
        { "DELETE", "/",          .finish = remove_finish,   .end = remove_end                   },
        {}
};
/* clang-format on */
