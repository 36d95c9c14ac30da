/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "batch.h"
#include "check.h"
#include "core/key.h"
#include "core/ticket.h"
#include "deletions.h"
#include "fetch.h"
#include "hello.h"
#include "net/http-record.h"
#include "net/rpc.h"
#include "order.h"
#include "pull.h"
#include "upload.h"
#include "volume-http.h"
#include "volume.h"

/* A GET that is to read the whole value before it answers. */
typedef struct GetVerified {
        VerifyTask task;
        HttpRequest *request;
        char key[KEY_MAX + 1];
        uint64_t version, revision;
} GetVerified;

/* A ticket lasts less long than what it leads to, so an object that is not there is lost. */
static int reply_damage(HttpRequest *request, const char *key, uint64_t version, int error) {
        VolumeDaemon *volume = http_request_userdata(request);
        char sentence[128];

        if (!damage_found(volume->damage, key, version, error))
                return error;

        (void) snprintf(sentence, sizeof(sentence), "This volume's copy of the value %s.",
                        damage_kind_to_sentence(damage_kind_of_error(error)));
        return http_request_reply_error(request, -EBADMSG, sentence);
}

static int reply_object(HttpRequest *request, const Object *object, int take_fd) {
        _cleanup_close_ int fd = take_fd;
        char etag[ETAG_SIZE];
        Condition condition;
        int r;

        r = http_request_get_condition(request, &condition);
        if (r < 0)
                return r;
        r = condition_check_read(&condition, &object->record.checksum, object->record.mtime_usec);
        if (r < 0)
                return r;

        if (r > 0)
                return http_request_reply_not_modified(request, &object->record);

        checksum_to_etag(&object->record.checksum, etag);
        r = http_request_add_record(request, &object->record);
        if (r < 0)
                return r;
        return http_request_reply_value(
                        request, object->value, TAKE_FD(fd), object->record.size, etag,
                        object->record.mtime_usec);
}

static int get(HttpRequest *request, const char *key, uint64_t version, uint64_t revision) {
        VolumeDaemon *volume = http_request_userdata(request);
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(volume->store, version, &scratch, &object, &fd);
        if (r >= 0 && strcmp(object.key, key) != 0)
                r = -EBADMSG;
        if (r < 0)
                return reply_damage(request, key, version, r);

        object.record.revision = revision; /* which the volume does not know */
        return reply_object(request, &object, TAKE_FD(fd));
}

static void get_verified(VerifyTask *task) {
        GetVerified *get_task = CONTAINER_OF(task, GetVerified, task);
        HttpRequest *request = get_task->request;
        VolumeDaemon *volume = http_request_userdata(request);
        int r;

        r = object_store_verify(volume->store, get_task->version);
        if (r < 0)
                r = reply_damage(request, get_task->key, get_task->version, r);
        else
                r = get(request, get_task->key, get_task->version, get_task->revision);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
}

static int get_verified_start(HttpRequest *request, const char *key, const Ticket *ticket) {
        VolumeDaemon *volume = http_request_userdata(request);
        GetVerified *get_task = malloc(sizeof(*get_task));

        if (!get_task)
                return -ENOMEM;

        *get_task = (GetVerified){ .task.run = get_verified,
                                   .request = request,
                                   .version = ticket->version,
                                   .revision = ticket->revision };
        memcpy(get_task->key, key, strlen(key) + 1);
        *http_request_state(request) = get_task;
        verify_submit(volume->verify, &get_task->task);
        return HTTP_LATER;
}

static int get_finish(HttpRequest *request) {
        VolumeDaemon *volume = http_request_userdata(request);
        Signer *signer = secret_signer(volume->secret);
        char key[KEY_MAX + 1], verify[2];
        Ticket ticket;
        int r;

        if (!signer)
                return -ENOMEM;
        r = key_from_path(http_request_path(request), key);
        if (r < 0)
                return r;
        r = ticket_parse(
                        http_request_query(request), TICKET_READ, key,
                        clock_cluster() / USEC_PER_SEC, signer, &ticket);
        if (r < 0)
                return r;

        if (http_request_parameter(request, "verify", verify, sizeof(verify)) == 1 &&
            *verify == '1')
                return get_verified_start(request, key, &ticket);

        return get(request, key, ticket.version, ticket.revision);
}

static void get_end(HttpRequest *request) {
        free(*http_request_state(request));
}

#define ID_SIZE (2 * sizeof(uint64_t) + 1)

static const char *format_id(uint64_t id, char ret[static ID_SIZE]) {
        (void) snprintf(ret, ID_SIZE, "%" PRIx64, id);
        return ret;
}

/* Who this is, and whom it follows or was the last to follow. */
static int add_identity(VolumeDaemon *volume, Json *health) {
        const StoreIdentity *self = allegiance_store(volume->allegiance);
        char uuid[2 * STORE_UUID_SIZE + 1] = "", cluster[2 * CLUSTER_ID_SIZE + 1] = "";
        char id[ID_SIZE];
        Leadership lead;
        int r;

        (void) allegiance_lead(volume->allegiance, &lead);
        format_hex(self->uuid, sizeof(self->uuid), uuid);
        r = json_add_string(health, "uuid", uuid);
        r = r < 0 ? r : json_add_string(health, "run", format_id(self->run, id));
        if (r < 0 || cluster_id_is_null(lead.cluster))
                return r;

        format_hex(lead.cluster, sizeof(lead.cluster), cluster);
        r = json_add_string(health, "cluster", cluster);
        r = r < 0 ? r : json_add_uint(health, "term", lead.term);
        return r < 0 ? r : json_add_string(health, "leader", format_id(lead.leader, id));
}

static int health_finish(HttpRequest *request) {
        VolumeDaemon *volume = http_request_userdata(request);
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_free_ char *text = NULL;
        ObjectStoreCounters counters;
        int r;

        r = object_store_counters(volume->store, &counters);
        if (r < 0)
                return r;

        r = json_add_string(health, "status", "ok");
        r = r < 0 ? r : json_add_string(health, "version", DKV_VERSION);
        r = r < 0 ? r : json_add_uint(health, "number", volume->conf.number);
        r = r < 0 ? r : json_add_uint(health, "objects", counters.objects);
        r = r < 0 ? r : json_add_uint(health, "bytes", counters.bytes);
        r = r < 0 ? r : json_add_uint(health, "free", counters.disk_free);
        r = r < 0 ? r : json_add_uint(health, "size", counters.disk_size);
        r = r < 0 ? r : json_add_uint(health, "pending", pending_count(volume->pending));
        r = r < 0 ? r : json_add_bool(health, "master", report_is_accepted(volume->report));
        r = r < 0 ? r : add_identity(volume, health);
        if (r < 0)
                return r;

        text = json_format(health, false);
        if (!text)
                return -ENOMEM;
        return http_request_reply_data(request, 200, "application/json", text, strlen(text));
}

/* clang-format off */
const HttpRoute volume_routes[] = {
        { "GET",  "/-/health",  .finish = health_finish                                                  },
        { "POST", "/-/hello",   hello_begin,       rpc_body,    hello_finish,        rpc_end, 64         },
        { "POST", "/-/store",   order_begin,       rpc_body,    batch_store_finish,  rpc_end, 4 * MIB    },
        { "POST", "/-/delete",  order_begin,       rpc_body,    deletions_finish,    rpc_end, 64 * KIB   },
        { "POST", "/-/pull",    order_begin,       rpc_body,    pull_finish,         rpc_end, 1 * MIB    },
        { "POST", "/-/check",   order_begin,       rpc_body,    check_finish,        rpc_end, 64 * KIB   },
        { "POST", "/-/fetch",   neighbor_begin,    rpc_body,    fetch_finish,        rpc_end, 64 * KIB   },
        { "PUT",  "/-/copy/",   upload_begin_copy, upload_body, upload_finish,       upload_end          },
        { "GET",  "/",          .finish = get_finish,           .end = get_end                           },
        { "PUT",  "/",          upload_begin,      upload_body, upload_finish,       upload_end          },
        { "POST", "/",          upload_begin,      upload_body, upload_finish,       upload_end          },
        {}
};
/* clang-format on */
