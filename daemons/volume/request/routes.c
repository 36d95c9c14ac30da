/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "core/blocks.h"
#include "core/call/ticket.h"
#include "core/key.h"
#include "http/record.h"
#include "rpc/rpc.h"
#include "store/object/reader.h"
#include "volume/link/caller.h"
#include "volume/link/master-link.h"
#include "volume/request/check.h"
#include "volume/request/fetch.h"
#include "volume/request/hello.h"
#include "volume/request/pull.h"
#include "volume/request/routes.h"
#include "volume/request/store-call.h"
#include "volume/request/upload.h"
#include "volume/request/value-stream.h"
#include "volume/request/way-back.h"
#include "volume/upkeep/deletions.h"
#include "volume/volume.h"

/* A GET that waits for somebody: the verifier, or the master. */
typedef struct Get {
        VerifyTask task;
        DamageWait wait;
        HttpRequest *request;
        Ticket ticket;
        int error; /* what is wrong with the copy */
        char key[KEY_MAX + 1];
} Get;

static int get_new(HttpRequest *request, const char *key, const Ticket *ticket, Get **ret) {
        Get *get = *http_request_state(request) ?: malloc(sizeof(*get));

        if (!get)
                return -ENOMEM;

        if (!*http_request_state(request)) {
                *get = (Get){ .request = request, .ticket = *ticket };
                memcpy(get->key, key, strlen(key) + 1);
                *http_request_state(request) = get;
        }
        *ret = get;
        return 0;
}

/* The master has heard of the damage, and sends readers elsewhere, if there is another copy. */
static void on_told(DamageWait *wait, int result) {
        Get *get = CONTAINER_OF(wait, Get, wait);
        char sentence[128];

        /* It may have been moved or overwritten, too. */
        if ((result == 0 || result == -ENOENT) && *get->ticket.back &&
            way_back(get->request, get->key, &get->ticket) >= 0)
                return;

        (void) snprintf(sentence, sizeof(sentence), "This volume's copy of the value %s.",
                        damage_kind_to_sentence(damage_kind_of_error(get->error)));
        (void) http_request_reply_error(get->request, -EBADMSG, sentence);
}

/* A ticket lasts less long than what it leads to, so an object that is not there is lost. */
static int reply_damage(HttpRequest *request, const char *key, const Ticket *ticket, int error) {
        VolumeDaemon *volume = http_request_userdata(request);
        Get *get;
        int r;

        if (damage_kind_of_error(error) == DAMAGE_NONE)
                return error;
        r = get_new(request, key, ticket, &get);
        if (r < 0)
                return r;

        get->error = error;
        get->wait.done = on_told;
        (void) damage_found_wait(volume->damage, get->key, ticket->version, error, &get->wait);
        return HTTP_LATER;
}

static int reply_object(HttpRequest *request, ValueStream *stream) {
        const Object *object = stream->object;
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
                        request, object->value,
                        &(HttpValue){ .open = value_stream_open, .userdata = stream },
                        object->record.size, etag, object->record.mtime_usec);
}

/* Reads all of a value, whose pointer then points to RET. */
static int read_small(Object *object, int take_fd, void **ret) {
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        _cleanup_free_ void *value = malloc(BLOCK_SIZE);
        ssize_t n;
        int r;

        r = object_reader_new(object, take_fd, 0, object->record.size, &reader);
        if (r < 0)
                return r;
        if (!value)
                return -ENOMEM;
        n = object_reader_read(reader, value, BLOCK_SIZE);
        if (n < 0)
                return (int) n;

        object->value = *ret = TAKE_PTR(value);
        return 0;
}

typedef enum Trust { TRUST_NONE, TRUST_VERIFIED } Trust;

/* Returns -EINPROGRESS if the whole value has to be verified before a part of it is sent. */
static int get(HttpRequest *request, const char *key, const Ticket *ticket, Trust trust) {
        VolumeDaemon *volume = http_request_userdata(request);
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_free_ void *value = NULL;
        _cleanup_close_ int fd = -1;
        ValueStream stream;
        Object object;
        int r;

        r = object_store_get(volume->store, ticket->version, &scratch, &object, &fd);
        if (r >= 0 && strcmp(object.key, key) != 0)
                r = -EBADMSG;
        if (r < 0)
                return reply_damage(request, key, ticket, r);

        /* What is one block is better sent with its headers. */
        if (fd >= 0 && object.record.size <= BLOCK_SIZE) {
                r = read_small(&object, TAKE_FD(fd), &value);
                if (r < 0)
                        return reply_damage(request, key, ticket, r);
        }

        object.record.revision = ticket->revision; /* which the volume does not know */
        stream = (ValueStream){
                .volume = volume,
                .object = &object,
                .fd = TAKE_FD(fd),
                .is_verified = trust == TRUST_VERIFIED,
        };
        r = reply_object(request, &stream);
        closep(&stream.fd);
        if (stream.error < 0 && stream.error != -EINPROGRESS)
                return reply_damage(request, key, ticket, stream.error);
        return r;
}

static void get_verified(VerifyTask *task) {
        Get *state = CONTAINER_OF(task, Get, task);
        HttpRequest *request = state->request;
        const VolumeDaemon *volume = http_request_userdata(request);
        int r;

        r = object_store_verify(volume->store, state->ticket.version);
        if (r < 0)
                r = reply_damage(request, state->key, &state->ticket, r);
        else
                r = get(request, state->key, &state->ticket, TRUST_VERIFIED);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
}

static int get_verified_start(HttpRequest *request, const char *key, const Ticket *ticket) {
        VolumeDaemon *volume = http_request_userdata(request);
        Get *state;
        int r;

        r = get_new(request, key, ticket, &state);
        if (r < 0)
                return r;

        state->task.run = get_verified;
        verify_submit(volume->verify, &state->task);
        return HTTP_LATER;
}

/* Those who have no ticket at all want the master. */
static int get_refuse(HttpRequest *request, int error) {
        return error == -EACCES && to_master_is_wanted(request) ? to_master_redirect(request)
                                                                : error;
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
        if (!way_back_is_here(request, &ticket))
                return way_back(request, key, &ticket);

        if (http_request_parameter(request, "verify", verify, sizeof(verify)) == 1 &&
            *verify == '1')
                return get_verified_start(request, key, &ticket);

        r = get(request, key, &ticket, TRUST_NONE);
        return r == -EINPROGRESS ? get_verified_start(request, key, &ticket) : r;
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
static void add_identity(VolumeDaemon *volume, Json *health) {
        const StoreIdentity *self = allegiance_store(volume->allegiance);
        char uuid[2 * STORE_UUID_SIZE + 1] = "", cluster[2 * CLUSTER_ID_SIZE + 1] = "";
        char id[ID_SIZE];
        Leadership lead;

        (void) allegiance_lead(volume->allegiance, &lead);
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

static int health_finish(HttpRequest *request) {
        VolumeDaemon *volume = http_request_userdata(request);
        _cleanup_(json_freep) Json *health = json_new_object();
        _cleanup_free_ char *text = NULL;
        ObjectStoreCounters counters;
        int r;

        r = object_store_counters(volume->store, &counters);
        if (r < 0)
                return r;

        json_add_string(health, "status", "ok");
        json_add_string(health, "version", DKV_VERSION);
        json_add_uint(health, "number", volume->conf.number);
        json_add_uint(health, "objects", counters.objects);
        json_add_uint(health, "bytes", counters.bytes);
        json_add_uint(health, "free", counters.disk_free);
        json_add_uint(health, "size", counters.disk_size);
        json_add_uint(health, "pending", pending_count(volume->pending));
        json_add_bool(health, "master", report_is_accepted(volume->report));
        add_identity(volume, health);

        text = json_format(health, false);
        if (!text)
                return -ENOMEM;
        return http_request_reply_data(request, 200, "application/json", text, strlen(text));
}

/* clang-format off */
const HttpRoute volume_routes[] = {
        { "GET",  "/-/health",  HTTP_PUBLIC, .finish = health_finish                                                  },
        RPC_ROUTE(HELLO,  hello_begin,    hello_finish),
        RPC_ROUTE(STORE,  order_begin,    batch_store_finish),
        RPC_ROUTE(DELETE, order_begin,    deletions_finish),
        RPC_ROUTE(PULL,   order_begin,    pull_finish),
        RPC_ROUTE(CHECK,  order_begin,    check_finish),
        RPC_ROUTE(FETCH,  neighbor_begin, fetch_finish),
        { "PUT",  "/-/copy/",   HTTP_TICKET, upload_begin_copy, upload_body, upload_finish,       upload_end          },
        { "GET",  "/",          HTTP_TICKET, .finish = get_finish, .end = get_end, .refuse = get_refuse               },
        { "PUT",  "/",          HTTP_TICKET, upload_begin,      upload_body, upload_finish,       upload_end          },
        { "POST", "/",          HTTP_TICKET, upload_begin,      upload_body, upload_finish,       upload_end          },
        {}
};
/* clang-format on */
