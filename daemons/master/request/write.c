/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/majority.h"
#include "core/url.h"
#include "http/record.h"
#include "master/cluster/choice.h"
#include "master/request/redirect.h"
#include "master/request/relay.h"
#include "master/request/replicate.h"
#include "master/request/requests.h"
#include "master/request/write.h"
#include "rpc/way-back.h"
#include "store/index/wait.h"

_Static_assert(RELAY_BUFFER_SIZE > WRITE_BUFFER_MAX, "what was gathered must fit the empty relay");

#define TRIED_MAX (2 * COPIES_MAX)

#define WRONG_DIGEST "The value does not have the digest that the request says."

typedef struct Write {
        char key[KEY_MAX + 1];
        Condition condition;
        Record record;    /* what is known of it: content type and metadata */
        Buffer metadata;  /* what the record points to */
        Digests *digests; /* that the value is to have; NULL if the request says none */
        uint64_t wanted;  /* copies */
        uint32_t volumes[COPIES_MAX];
        size_t n_volumes;
        uint32_t tried[TRIED_MAX]; /* of a relay: these, and those that were tried before them */
        size_t n_tried;

        Buffer body;              /* of a value that is small, so far */
        Relay *relay;             /* of one that is not */
        Replication *replication; /* of a small one, once it is complete */
} Write;

/* Fails a write early if its condition does not hold now; the check at the commit decides. */
static int check_condition(Requests *requests, const Write *write) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;
        int r;

        /* One of several masters would have to ask the others for this look-up alone. */
        if (condition_is_empty(&write->condition) || requests->group)
                return 0;

        r = index_get_now(requests->index, write->key, &scratch, &record);
        if (r == -EAGAIN)
                return 0; /* it is just being changed */
        if (r < 0 && r != -ENOENT)
                return r;
        if (r < 0)
                return condition_check(&write->condition, NULL, 0);
        return condition_check(&write->condition, &record.checksum, record.mtime_usec);
}

static int place(Requests *requests, Write *write, uint64_t size) {
        int r;

        write->wanted = volumes_copies(requests->volumes);
        r = volumes_place(
                        requests->volumes, key_hash(write->key), write->wanted, size,
                        write->volumes);
        if (r < 0)
                return r;
        if (!copies_suffice((size_t) r, write->wanted))
                return -EHOSTDOWN;

        write->n_volumes = write->n_tried = (size_t) r;
        memcpy(write->tried, write->volumes, sizeof(write->volumes));
        return 0;
}

static bool any_is_cut(Requests *requests, const Write *write) {
        for (size_t i = 1; i < write->n_volumes; i++)
                if (volumes_is_cut(requests->volumes, write->volumes[0], write->volumes[i]))
                        return true;
        return false;
}

/* Puts a volume first that is known to reach the others; if there is none, replaces those that
 * the first one does not reach. */
static void avoid_cut(Requests *requests, Write *write) {
        size_t n = write->n_volumes;

        for (size_t turn = 0; turn < n; turn++) {
                uint32_t first = write->volumes[0];

                if (!any_is_cut(requests, write))
                        return;
                memmove(write->volumes, write->volumes + 1, (n - 1) * sizeof(first));
                write->volumes[n - 1] = first;
        }

        for (size_t i = 1; i < n && write->n_tried < TRIED_MAX; i++) {
                int r;

                if (!volumes_is_cut(requests->volumes, write->volumes[0], write->volumes[i]))
                        continue;
                r = volumes_place_another(
                                requests->volumes, key_hash(write->key), 0, write->tried,
                                write->n_tried);
                if (r > 0)
                        write->volumes[i] = write->tried[write->n_tried++] = (uint32_t) r;
        }
}

/* The address of the first volume, with a ticket that names the others; for the client of a request
 * that is to be redirected, unless that is NULL. */
static int
make_url(Requests *requests, const Write *write, HttpRequest *redirected, char *ret, size_t size) {
        char volume_url[VOLUME_URL_SIZE];
        Ticket ticket = {
                .method = write->condition.create_only ? TICKET_POST : TICKET_PUT,
                .version = index_next_version(requests->index, VERSION_TICKET),
                .expiry_sec = (clock_realtime() + requests->ticket_usec) / USEC_PER_SEC,
                .size_max = requests->value_size_max,
                .mtime_usec = clock_realtime(),
                .wanted = (uint8_t) write->wanted,
        };
        int r;

        if (ticket.version == 0)
                return -EOWNERDEAD;
        for (size_t i = 1; i < write->n_volumes; i++) {
                typeof(*ticket.others) *other = ticket.others + ticket.n_others;

                r = volumes_url(requests->volumes, write->volumes[i], volume_url);
                if (r < 0)
                        continue; /* it has gone down just now; the majority decides */
                other->volume = write->volumes[i];
                other->store = redirect_store(requests->index, requests->volumes, other->volume);
                (void) snprintf(other->authority, sizeof(other->authority), "%s",
                                url_authority(volume_url));
                ticket.n_others++;
        }

        r = volumes_url(requests->volumes, write->volumes[0], volume_url);
        if (r < 0)
                return r;
        ticket.store = redirect_store(requests->index, requests->volumes, write->volumes[0]);
        if (redirected)
                way_back_put(redirected, &ticket);
        return redirect_url(requests->secret, volume_url, write->key, &ticket, ret, size);
}

static int redirect(HttpRequest *request, const Write *write) {
        Requests *requests = requests_of(request);
        char url[REDIRECT_URL_SIZE];
        int r;

        /* The client found another store there. */
        for (size_t i = 0; i < write->n_volumes && way_back_count(request) > 0; i++)
                prober_hurry(requests->prober, write->volumes[i]);

        r = make_url(requests, write, request, url, sizeof(url));
        return r < 0 ? r : redirect_reply(request, url);
}

/* Puts another volume in the place of each that has failed; if there is none, goes on without, as
 * long as the others are a majority. Returns 0, or why that is not so. */
static int
replace_failed(Requests *requests, Write *write, uint64_t size, const uint32_t failed[], size_t n) {
        for (size_t i = 0; i < n; i++) {
                size_t k = 0;
                int r;

                volumes_note_unfit(requests->volumes, failed[i]);
                while (k < write->n_volumes && write->volumes[k] != failed[i])
                        k++;
                if (k == write->n_volumes)
                        return -EHOSTDOWN;
                r = volumes_place_another(
                                requests->volumes, key_hash(write->key), size, write->tried,
                                write->n_tried);
                if (r >= 0 && write->n_tried == TRIED_MAX)
                        r = -EHOSTDOWN;
                if (r >= 0) {
                        write->volumes[k] = write->tried[write->n_tried++] = (uint32_t) r;
                        continue;
                }
                if (!copies_suffice(write->n_volumes - 1, write->wanted))
                        return r;
                memmove(write->volumes + k, write->volumes + k + 1,
                        (--write->n_volumes - k) * sizeof(*write->volumes));
        }
        return 0;
}

static int on_not_stored(
                HttpRequest *request, const uint32_t failed[], size_t n, RelayTarget *ret) {
        Write *write = *http_request_state(request);
        uint64_t size = http_request_size(request);
        int r;

        r = replace_failed(
                        requests_of(request), write, size == HTTP_SIZE_UNKNOWN ? 0 : size, failed,
                        n);
        if (r < 0)
                return r;
        ret->volume = write->volumes[0];
        return make_url(requests_of(request), write, NULL, ret->url, sizeof(ret->url));
}

/* Whether the client may be sent to a volume. */
static bool may_redirect(HttpRequest *request) {
        return !requests_of(request)->proxy && way_back_count(request) < WAY_BACK_MAX;
}

/* Without a relay afterwards, the client was redirected. */
static int start_relay(HttpRequest *request, Write *write) {
        RelayTarget target = { .volume = write->volumes[0] };
        int r;

        r = make_url(requests_of(request), write, NULL, target.url, sizeof(target.url));
        if (r < 0)
                return r;
        r = relay_new(&requests_of(request)->relays, request, &target, on_not_stored,
                      &write->relay);
        if (r == -ESHUTDOWN || (r == -EAGAIN && may_redirect(request)))
                return redirect(request, write);
        return r;
}

static int read_headers(HttpRequest *request, Write *write) {
        Requests *requests = requests_of(request);
        uint64_t size = http_request_size(request);
        int r;

        r = key_from_path(http_request_path(request), write->key);
        if (r < 0)
                return r;
        if (key_has_dots(write->key)) {
                http_request_explain(
                                request,
                                "A segment of the key is \".\" or \"..\", which clients take out of "
                                "addresses: nobody could read the value.");
                return -EINVAL;
        }
        if (size != HTTP_SIZE_UNKNOWN && size > requests->value_size_max)
                return -EFBIG;
        r = http_request_get_metadata(
                        request, &write->metadata, &write->record.content_type, &write->digests);
        if (r < 0)
                return r;
        write->record.metadata = (const char *) write->metadata.data;
        write->record.metadata_size = write->metadata.size;

        r = http_request_get_condition(request, &write->condition);
        if (r < 0)
                return r;
        return check_condition(requests, write);
}

int write_begin(HttpRequest *request) {
        Requests *requests = requests_of(request);
        uint64_t size = http_request_size(request);
        Write *write;
        int r;

        if (lead_refuses(requests->lead, request))
                return 0;
        write = calloc(1, sizeof(*write));
        if (!write)
                return -ENOMEM;
        *http_request_state(request) = write;

        r = read_headers(request, write);
        if (r < 0)
                return r;
        r = place(requests, write, size == HTTP_SIZE_UNKNOWN ? 0 : size);
        if (r == -ENOSPC)
                http_request_explain(request, "The volumes are full.");
        if (r < 0)
                return r;

        if (size != HTTP_SIZE_UNKNOWN && size <= WRITE_BUFFER_MAX)
                return 0;
        avoid_cut(requests, write);
        if (http_request_expects_continue(request) && may_redirect(request))
                return redirect(request, write);
        return size == HTTP_SIZE_UNKNOWN ? 0 : start_relay(request, write);
}

ssize_t write_body(HttpRequest *request, const void *data, size_t size) {
        const Requests *requests = requests_of(request);
        Write *write = *http_request_state(request);
        ssize_t n;
        int r;

        if (!write->relay) {
                if (write->body.size + size > requests->value_size_max)
                        return -EFBIG;
                if (write->body.size + size <= WRITE_BUFFER_MAX) {
                        buffer_put(&write->body, data, size);
                        r = buffer_error(&write->body);
                        return r < 0 ? r : (ssize_t) size;
                }

                r = start_relay(request, write);
                if (r < 0)
                        return r;
                if (!write->relay)
                        return (ssize_t) size;
        }

        /* Passes on what was gathered before it became clear that the value is not small. */
        if (write->body.size > 0) {
                n = relay_body(write->relay, write->body.data, write->body.size);
                if (n < 0)
                        return n;
                assert((size_t) n ==
                       write->body.size); /* the relay's buffer is larger, and empty */
                buffer_clear(&write->body);
        }
        return relay_body(write->relay, data, size);
}

int write_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        Write *write = *http_request_state(request);

        if (write->relay)
                return relay_finish(write->relay); /* the volume compares the digests */
        if (write->digests) {
                digests_update(write->digests, write->body.data, write->body.size);
                if (digests_check(write->digests) < 0)
                        return http_request_reply_error(request, EINVAL, WRONG_DIGEST);
        }

        return replication_start(
                        &requests->replicator, request,
                        &(ReplicationInput){
                                        .key = write->key,
                                        .record = &write->record,
                                        .condition = &write->condition,
                                        .value = write->body.data,
                                        .size = write->body.size,
                                        .volumes = write->volumes,
                                        .n_volumes = write->n_volumes,
                                        .wanted = write->wanted,
                                        .grace_usec = requests->grace_usec,
                        },
                        &write->replication);
}

void write_end(HttpRequest *request) {
        Write *write = *http_request_state(request);

        if (!write)
                return;

        (void) relay_free(write->relay);
        (void) replication_free(write->replication);
        (void) digests_free(write->digests);
        buffer_done(&write->metadata);
        buffer_done(&write->body);
        free(write);
}
