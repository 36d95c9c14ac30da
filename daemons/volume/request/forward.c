/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "core/etag.h"
#include "core/key.h"
#include "core/url.h"
#include "http/record.h"
#include "http/status.h"
#include "rpc/call.h"
#include "volume/request/forward.h"

/* Shared by the request that writes and the call that reads. The one that leaves last frees it, so
 * done() may come after forward_free(). */
struct Forward {
        atomic_uint references;
        uint32_t volume;
        ForwardEvents events;
        Pipe *pipe;
        HttpCall *call;
};

static Forward *forward_unref(Forward *forward) {
        if (!forward || atomic_fetch_sub(&forward->references, 1) > 1)
                return NULL;

        (void) http_call_unref(forward->call);
        (void) pipe_unref(forward->pipe);
        free(forward);
        return NULL;
}
DEFINE_CLEANUP(Forward *, forward_unref);

static void on_readable(void *userdata) {
        Forward *forward = userdata;

        http_call_resume(forward->call);
}

static void on_writable(void *userdata) {
        Forward *forward = userdata;

        forward->events.writable(forward->events.userdata);
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Forward *forward = userdata;

        return pipe_read(forward->pipe, data, size);
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_(forward_unrefp) Forward *forward = userdata;
        Checksum checksum;
        const char *etag;
        int error;

        error = result->error ?: result->status >= 400 ? -http_status_to_error(result->status) : 0;
        if (error == 0) {
                etag = http_call_header(call, "ETag");
                error = etag ? etag_to_checksum(etag, strlen(etag), &checksum) : -EPROTO;
        }

        pipe_close_read(forward->pipe, error ?: -EPIPE);
        forward->events.done(
                        forward->events.userdata, forward->volume, error, error ? NULL : &checksum);
}

static int
make_url(const char *authority, const char *key, const Ticket *ticket, Secret *secret, char **ret) {
        char path[KEY_PATH_SIZE], query[TICKET_QUERY_SIZE];
        Signer *signer = secret_signer(secret);
        int r;

        if (!signer)
                return -ENOMEM;
        r = ticket_format(ticket, key, signer, query, sizeof(query));
        if (r < 0)
                return r;

        (void) key_to_path(key, path);
        return url_format(ret, authority, FORWARD_PREFIX "%s?%s", path, query);
}

static int add_headers(HttpCall *call, const Record *record) {
        char buffer[HTTP_RECORD_HEADER_SIZE];
        const char *name, *value;
        size_t position = 0;
        int r = 0;

        if (*record->content_type)
                r = http_call_add_header(call, "Content-Type", record->content_type);

        while (r >= 0 &&
               metadata_next(record->metadata, record->metadata_size, &position, &name, &value)) {
                const char *header = http_record_header(name, buffer, sizeof(buffer));

                if (header)
                        r = http_call_add_header(call, header, value);
        }

        return r;
}

int forward_new(const ForwardOptions *options, Forward **ret) {
        const Ticket *ticket = options->ticket;
        _cleanup_(forward_unrefp) Forward *forward = NULL;
        _cleanup_free_ char *url = NULL;
        Ticket copy = {
                .method = TICKET_COPY,
                .version = ticket->version,
                .store = options->store,
                .expiry_sec = clock_cluster() / USEC_PER_SEC + SIGNATURE_LIFETIME_SEC,
                .size_max = ticket->size_max,
                .mtime_usec = ticket->mtime_usec,
                .wanted = 1,
        };
        int r;

        forward = malloc(sizeof(*forward));
        if (!forward)
                return -ENOMEM;
        *forward = (Forward){ .references = 1,
                              .volume = options->volume,
                              .events = options->events };

        r = pipe_new(pipe_size_for(options->size, FORWARD_BUFFER_SIZE), options->budget,
                     &(PipeEvents){ .readable = on_readable,
                                    .writable = on_writable,
                                    .userdata = forward },
                     &forward->pipe);
        if (r < 0)
                return r;

        r = make_url(options->authority, options->key, &copy, options->secret, &url);
        if (r < 0)
                return r;
        r = http_call_new(options->client, "PUT", url, &forward->call);
        if (r < 0)
                return r;
        r = add_headers(forward->call, options->record);
        if (r < 0)
                return r;
        http_call_set_source(forward->call, options->size, on_read);
        if (options->stall_timeout_usec > 0)
                http_call_set_stall_timeout(forward->call, options->stall_timeout_usec);

        forward->references = 2;
        http_call_start(http_call_ref(forward->call), on_done, forward);

        *ret = TAKE_PTR(forward);
        return 0;
}

Forward *forward_free(Forward *forward) {
        if (!forward)
                return NULL;

        /* Without effect if the value was sent in whole. */
        pipe_close_write(forward->pipe, -ECONNABORTED);
        return forward_unref(forward);
}

size_t forward_write(Forward *forward, const void *data, size_t size) {
        ssize_t n = pipe_write(forward->pipe, data, size);

        return n < 0 ? size : (size_t) n;
}

void forward_finish(Forward *forward) {
        pipe_close_write(forward->pipe, 0);
}
