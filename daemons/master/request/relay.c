/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "core/etag.h"
#include "http/record.h"
#include "http/status.h"
#include "master/request/relay.h"

/* Shared by the request and the call. */
struct Relay {
        Relays *relays; /* not owned */
        atomic_uint references;
        Pipe *pipe;
        RelayNext next;

        /* The call's thread only. */
        uint32_t volume;
        unsigned n_tried;
        uint64_t n_sent; /* bytes of the body */
        uint64_t size;   /* of it, or HTTP_SIZE_UNKNOWN */
        bool sent;       /* all of it: the value may be committed from then on */

        pthread_mutex_t lock; /* for the rest */
        HttpCall *call;
        HttpRequest *request; /* NULL once it is over */
        bool waiting;         /* the body is complete, the request waits for its reply */
        bool done;            /* the volume has answered, or never will */
        int error;            /* 0 for success */
        char *detail;
        bool created;
        uint64_t revision;
        Checksum checksum;
};

void relays_configure(Relays *relays, bool proxy) {
        relays->proxy = proxy;
}

unsigned relays_stop(Relays *relays) {
        relays->stopping = true;
        return relays->n;
}

static Relay *relay_unref(Relay *relay) {
        if (!relay || atomic_fetch_sub(&relay->references, 1) > 1)
                return NULL;

        (void) http_call_unref(relay->call);
        (void) pipe_unref(relay->pipe);
        (void) pthread_mutex_destroy(&relay->lock);
        free(relay->detail);
        free(relay);
        return NULL;
}
DEFINE_CLEANUP(Relay *, relay_unref);

static void on_readable(void *userdata) {
        Relay *relay = userdata;

        (void) pthread_mutex_lock(&relay->lock);
        http_call_resume(relay->call);
        (void) pthread_mutex_unlock(&relay->lock);
}

static void on_writable(void *userdata) {
        Relay *relay = userdata;

        (void) pthread_mutex_lock(&relay->lock);
        if (relay->request)
                http_request_resume(relay->request);
        (void) pthread_mutex_unlock(&relay->lock);
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Relay *relay = userdata;
        ssize_t n = pipe_read(relay->pipe, data, size);

        /* A body of a known size is not read beyond its end. */
        relay->n_sent += n > 0 ? (uint64_t) n : 0;
        relay->sent |= n == 0 || relay->n_sent >= relay->size;
        return n;
}

/* Passes a volume's problem on as our own. */
static void read_problem(Relay *relay, HttpCall *call, const HttpResult *result) {
        _cleanup_(json_freep) Json *problem = NULL;
        const char *type = NULL, *detail = NULL, *revision = http_call_header(call, "Dkv-Version");

        if (json_parse((const char *) result->body, result->body_size, &problem) >= 0) {
                type = json_get_string(problem, "type");
                detail = json_get_string(problem, "detail");
        }

        /* Only the type tells an outcome that is unknown from other answers of 503. */
        if (type && strcmp(type, http_status_problem_type(ECOMM)) == 0)
                relay->error = -ECOMM;
        else
                relay->error = result->status == 421 ? -EHOSTDOWN
                                                     : -http_status_to_error(result->status);
        if (relay->error != -ECOMM || !revision ||
            parse_u64(revision, UINT64_MAX, &relay->revision) < 0)
                relay->revision = 0;
        relay->detail = detail ? strdup(detail) : NULL;
}

static void read_success(Relay *relay, HttpCall *call, unsigned status) {
        const char *etag = http_call_header(call, "ETag"),
                   *revision = http_call_header(call, "Dkv-Version");

        if ((status != 201 && status != 204) || !etag || !revision ||
            etag_to_checksum(etag, strlen(etag), &relay->checksum) < 0 ||
            parse_u64(revision, UINT64_MAX, &relay->revision) < 0) {
                relay->error = -EREMOTEIO;
                return;
        }
        relay->created = status == 201;
}

/* With the lock held. The request is not ours any more afterwards. */
static void reply(Relay *relay) {
        HttpRequest *request = TAKE_PTR(relay->request);
        int r;

        if (relay->error == -ECOMM && relay->revision > 0)
                r = http_request_reply_unknown(request, relay->revision);
        else if (relay->error < 0)
                r = http_request_reply_error(request, relay->error, relay->detail);
        else
                r = http_request_reply_written(
                                request, relay->created, relay->revision, &relay->checksum);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
}

/* Finds the volumes at fault, if the value was certainly not committed. Returns how many, or 0 if
 * nobody knows. */
static size_t find_failed(
                const Relay *relay,
                HttpCall *call,
                const HttpResult *result,
                uint32_t ret[static COPIES_MAX]) {
        const char *list = result->status >= 500 ? http_call_header(call, "Dkv-Not-Stored") : NULL;
        size_t n = 0;

        for (char *end; list && *list && n < COPIES_MAX; list = *end == ',' ? end + 1 : "") {
                unsigned long number = strtoul(list, &end, 10);

                if (end > list && number > 0 && number <= VOLUME_MAX)
                        ret[n++] = (uint32_t) number;
        }
        if (n > 0)
                return n;

        *ret = relay->volume;
        return !relay->sent && (result->status >= 500 || result->status == 403 ||
                                result->status == 421 || result->error == -EHOSTDOWN ||
                                result->error == -ECONNRESET || result->error == -ETIMEDOUT);
}

static int start_call(Relay *relay, const RelayTarget *target);

/* With the lock held: sends everything to other volumes if that is possible. */
static bool try_again(Relay *relay, HttpCall *call, const HttpResult *result) {
        uint32_t failed[COPIES_MAX];
        RelayTarget target;
        size_t n = find_failed(relay, call, result, failed);

        if (n == 0 || !relay->request || ++relay->n_tried > COPIES_MAX || !pipe_rewind(relay->pipe))
                return false;

        relay->n_sent = 0;
        relay->sent = false;
        return relay->next(relay->request, failed, n, &target) >= 0 &&
               start_call(relay, &target) >= 0;
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_(relay_unrefp) Relay *relay = userdata;
        bool again;

        volumes_note_request(relay->relays->volumes, relay->volume, result);
        (void) pthread_mutex_lock(&relay->lock);
        again = try_again(relay, call, result);
        (void) pthread_mutex_unlock(&relay->lock);
        if (again)
                return;

        (void) pthread_mutex_lock(&relay->lock);
        if (result->error < 0 && relay->sent) {
                relay->error = -ECOMM;
                relay->detail = strdup(
                                "The volume got the value and did not answer; whether it was stored is open.");
        } else if (result->error < 0) {
                relay->error = -EHOSTDOWN;
                relay->detail = strdup("The volume that the value belongs to cannot be reached.");
        } else if (result->status >= 400)
                read_problem(relay, call, result);
        else
                read_success(relay, call, result->status);
        relay->done = true;
        if (relay->waiting && relay->request)
                reply(relay);
        (void) pthread_mutex_unlock(&relay->lock);

        /* A client that still sends its body is told by the next write. */
        pipe_close_read(relay->pipe, relay->error ?: -EPIPE);
}

static const char *const passed_on[] = { "If-Match", "If-None-Match", "If-Unmodified-Since", NULL };

static int on_header(const char *name, const char *value, void *userdata) {
        HttpCall *call = userdata;
        bool wanted = http_header_is_stored(name);

        for (size_t i = 0; passed_on[i] && !wanted; i++)
                wanted = strcasecmp(name, passed_on[i]) == 0;
        return wanted ? http_call_add_header(call, name, value) : 0;
}

/* A volume that does not take a large value says so before it is sent. */
static int expect_continue(HttpCall *call, uint64_t size) {
        return size > RELAY_BUFFER_SIZE ? http_call_add_header(call, "Expect", "100-continue") : 0;
}

/* With the lock held, or before anybody else knows of the relay. */
static int start_call(Relay *relay, const RelayTarget *target) {
        HttpRequest *request = relay->request;
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        int r;

        r = http_call_new(relay->relays->bulk, http_request_method(request), target->url, &call);
        if (r < 0)
                return r;
        r = http_request_each_header(request, on_header, call);
        if (r >= 0)
                r = expect_continue(call, http_request_size(request));
        if (r < 0)
                return r;
        http_call_set_source(call, http_request_size(request), on_read);

        relay->volume = target->volume;
        (void) http_call_unref(relay->call);
        relay->call = http_call_ref(call);
        (void) atomic_fetch_add(&relay->references, 1);
        http_call_start(TAKE_PTR(call), on_done, relay);
        return 0;
}

static int start(
                Relays *relays,
                HttpRequest *request,
                const RelayTarget *target,
                RelayNext next,
                Relay **ret) {
        _cleanup_(relay_unrefp) Relay *relay = NULL;
        int r;

        relay = malloc(sizeof(*relay));
        if (!relay)
                return -ENOMEM;
        *relay = (Relay){ .relays = relays,
                          .references = 1,
                          .next = next,
                          .size = http_request_size(request),
                          .request = request };
        (void) pthread_mutex_init(&relay->lock, NULL);

        r = pipe_new(pipe_size_for(relay->size, RELAY_BUFFER_SIZE), relays->budget,
                     &(PipeEvents){ .readable = on_readable,
                                    .writable = on_writable,
                                    .userdata = relay },
                     &relay->pipe);
        if (r < 0)
                return r;
        r = start_call(relay, target);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(relay);
        return 0;
}

int relay_new(Relays *relays,
              HttpRequest *request,
              const RelayTarget *target,
              RelayNext next,
              Relay **ret) {
        int r;

        /* Counted first, so that a thread that waits for the last one sees this one. */
        (void) atomic_fetch_add(&relays->n, 1);
        r = relays->stopping && !relays->proxy ? -ESHUTDOWN
                                               : start(relays, request, target, next, ret);
        if (r < 0)
                (void) atomic_fetch_sub(&relays->n, 1);
        return r;
}

Relay *relay_free(Relay *relay) {
        if (!relay)
                return NULL;

        (void) atomic_fetch_sub(&relay->relays->n, 1);

        (void) pthread_mutex_lock(&relay->lock);
        relay->request = NULL;
        (void) pthread_mutex_unlock(&relay->lock);

        /* Without effect if the body was complete. */
        pipe_close_write(relay->pipe, -ECONNABORTED);
        return relay_unref(relay);
}

ssize_t relay_body(Relay *relay, const void *data, size_t size) {
        ssize_t n = pipe_write(relay->pipe, data, size);

        /* The volume has answered before it got all: its answer comes at the end, so the rest is
         * read and thrown away. */
        return n < 0 ? (ssize_t) size : n;
}

int relay_finish(Relay *relay) {
        pipe_close_write(relay->pipe, 0);

        (void) pthread_mutex_lock(&relay->lock);
        relay->waiting = true;
        if (relay->done)
                reply(relay);
        (void) pthread_mutex_unlock(&relay->lock);
        return HTTP_LATER;
}
