/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "core/etag.h"
#include "http/parser/date.h"
#include "http/record.h"
#include "http/server.h"
#include "http/status.h"
#include "master/cluster/choice.h"
#include "master/request/proxy.h"
#include "master/request/redirect.h"
#include "master/upkeep/damage.h"
#include "store/index/damage.h"

#define PIPE_SIZE (1 * MIB)

/* Shared by the request, the call, and the reply's stream. */
struct Proxy {
        const Proxies *proxies; /* not owned */
        atomic_uint references;
        HttpCall *call;
        Pipe *pipe;
        char key[KEY_MAX + 1];
        uint32_t volume;
        Record record;
        Buffer strings; /* what the record points to */

        /* The call's thread only. */
        ChecksumState *checksum; /* of the answer at hand; NULL for a range */
        uint64_t received;
        bool checked; /* the piece at hand, which comes again if the pipe had no room for it */
        int error;    /* of the answer's status */
        int failure;  /* our own: another copy would not help */

        pthread_mutex_t lock; /* for the rest */
        HttpRequest *request; /* NULL once it is over */
        bool replied;
        size_t n_tried; /* copies, besides the first */
        unsigned tried; /* which: bit I stands for copies[I] of the record */
};

static Proxy *proxy_unref(Proxy *proxy) {
        if (!proxy || atomic_fetch_sub(&proxy->references, 1) > 1)
                return NULL;

        (void) http_call_unref(proxy->call);
        (void) pipe_unref(proxy->pipe);
        (void) checksum_state_free(proxy->checksum);
        (void) pthread_mutex_destroy(&proxy->lock);
        buffer_done(&proxy->strings);
        free(proxy);
        return NULL;
}
DEFINE_CLEANUP(Proxy *, proxy_unref);

static Proxy *proxy_ref(Proxy *proxy) {
        (void) atomic_fetch_add(&proxy->references, 1);
        return proxy;
}

static void on_readable(void *userdata) {
        Proxy *proxy = userdata;

        (void) pthread_mutex_lock(&proxy->lock);
        if (proxy->request)
                http_request_resume(proxy->request);
        (void) pthread_mutex_unlock(&proxy->lock);
}

static void on_writable(void *userdata) {
        Proxy *proxy = userdata;

        http_call_resume(proxy->call);
}

static ssize_t on_stream_read(void *userdata, void *data, size_t size) {
        Proxy *proxy = userdata;

        return pipe_read(proxy->pipe, data, size);
}

static void on_stream_closed(void *userdata) {
        Proxy *proxy = userdata;

        pipe_close_read(proxy->pipe, -ECONNABORTED);
        (void) proxy_unref(proxy);
}

static int add_headers(Proxy *proxy, HttpCall *call) {
        const char *range = http_call_header(call, "Content-Range");
        char etag[ETAG_SIZE], date[HTTP_DATE_SIZE];
        int r;

        etag_of_checksum(&proxy->record.checksum, etag);
        http_date_format(proxy->record.mtime_usec / USEC_PER_SEC, date);

        r = http_request_add_record(proxy->request, &proxy->record);
        if (r >= 0)
                r = http_request_add_header(proxy->request, "ETag", etag);
        if (r >= 0)
                r = http_request_add_header(proxy->request, "Last-Modified", date);
        if (r >= 0)
                r = http_request_add_header(proxy->request, "Accept-Ranges", "bytes");
        if (r >= 0 && range)
                r = http_request_add_header(proxy->request, "Content-Range", range);
        return r;
}

/* With the lock held: the reply begins, its body follows through the pipe. */
static int begin_reply(Proxy *proxy, HttpCall *call, unsigned status) {
        const char *length = http_call_header(call, "Content-Length");
        uint64_t size;
        int r;

        r = length ? parse_u64(length, UINT64_MAX, &size) : -EREMOTEIO;
        if (r < 0)
                return r;
        r = add_headers(proxy, call);
        if (r < 0)
                return r;

        r = http_request_reply_stream(
                        proxy->request, status, size,
                        &(HttpStream){
                                        .read = on_stream_read,
                                        .closed = on_stream_closed,
                                        .userdata = proxy_ref(proxy),
                        });
        proxy->replied = r >= 0;
        proxy->failure = MIN(r, 0); /* the stream is closed when the request is over: no other */
        return r;
}

/* The answer of a copy before this one may have got as far as here. */
static int begin_checksum(Proxy *proxy, bool is_whole) {
        proxy->checksum = checksum_state_free(proxy->checksum);
        proxy->received = 0;
        proxy->checked = false;
        return is_whole ? checksum_state_new(&proxy->checksum) : 0;
}

static int on_head(HttpCall *call, unsigned status, void *userdata) {
        Proxy *proxy = userdata;
        int r;

        if (status >= 400) {
                proxy->error = status == 421 ? -EHOSTDOWN : -http_status_to_error(status);
                return 0;
        }
        r = begin_checksum(proxy, status == 200);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&proxy->lock);
        r = proxy->request ? begin_reply(proxy, call, status) : -ECANCELED;
        (void) pthread_mutex_unlock(&proxy->lock);
        return r;
}

/* Adds a piece to the checksum. The value's last piece is not passed on unless all of it is as it
 * was stored. */
static int check_piece(Proxy *proxy, const void *data, size_t size) {
        Checksum checksum;

        if (!proxy->checksum || proxy->checked)
                return 0;

        checksum_state_update(proxy->checksum, data, size);
        proxy->checked = true;
        proxy->received += size;
        if (proxy->received < proxy->record.size)
                return 0;

        checksum = checksum_state_final(proxy->checksum);
        if (proxy->received == proxy->record.size &&
            checksum_equal(&checksum, &proxy->record.checksum))
                return 0;

        damage_log_copy(proxy->key, proxy->record.version, proxy->volume);
        damage_mark(proxy->proxies->index, proxy->key, proxy->record.version, proxy->volume,
                    DAMAGE_CORRUPT);
        return -EBADMSG;
}

static int on_body(void *userdata, const void *data, size_t size) {
        Proxy *proxy = userdata;
        ssize_t n;
        int r;

        if (proxy->error < 0)
                return 0;
        r = check_piece(proxy, data, size);
        if (r < 0)
                return r;

        n = pipe_write_whole(proxy->pipe, data, size);
        if (n < 0)
                return (int) n;
        if (n == 0)
                return -EAGAIN;

        proxy->checked = false;
        return 0;
}

/* With the lock held. */
static void reply_problem(Proxy *proxy) {
        char range[sizeof("bytes */") + 20];

        proxy->replied = true;
        if (proxy->error == -ERANGE) {
                (void) snprintf(range, sizeof(range), "bytes */%" PRIu64, proxy->record.size);
                (void) http_request_add_header(proxy->request, "Content-Range", range);
        }
        (void) http_request_reply_error(
                        proxy->request, proxy->error ?: -EHOSTDOWN,
                        proxy->error == -ERANGE
                                        ? NULL
                                        : "The volume that holds the value could not deliver it.");
}

static int pass_header(HttpRequest *request, HttpCall *call, const char *name) {
        const char *value = http_request_header(request, name);

        return value ? http_call_add_header(call, name, value) : 0;
}

static int make_call(Proxy *proxy, const char *url) {
        _cleanup_(http_call_unrefp) HttpCall *call = NULL;
        int r;

        r = http_call_new(proxy->proxies->bulk, "GET", url, &call);
        if (r < 0)
                return r;
        r = pass_header(proxy->request, call, "Range");
        if (r >= 0)
                r = pass_header(proxy->request, call, "If-Range");
        if (r < 0)
                return r;

        http_call_set_sink(call, on_head, on_body);
        (void) http_call_unref(proxy->call);
        proxy->call = TAKE_PTR(call);
        return 0;
}

/* Whether another copy may do better: what a volume says about the request, every other one
 * would say again. */
static bool is_of_the_copy(const Proxy *proxy, const HttpResult *result) {
        if (proxy->failure < 0)
                return false;
        return result->error < 0 || proxy->error == -EBADMSG || proxy->error == -EHOSTDOWN ||
               proxy->error == -EREMOTE || proxy->error == -EACCES;
}

/* With the lock held. The volume has told the master by now of the damage that it met. */
static int try_another(Proxy *proxy) {
        unsigned avoid = index_damaged(proxy->proxies->index, &proxy->record);
        char url[REDIRECT_URL_SIZE], volume_url[VOLUME_URL_SIZE];
        Ticket ticket = {
                .method = TICKET_READ,
                .version = proxy->record.version,
                .revision = proxy->record.revision,
                .expiry_sec = (clock_realtime() + proxy->proxies->ticket_usec) / USEC_PER_SEC,
        };
        int volume, r;

        if (++proxy->n_tried >= proxy->record.n_copies)
                return -EHOSTDOWN;
        for (size_t i = 0; i < proxy->record.n_copies; i++)
                if (proxy->record.copies[i] == proxy->volume)
                        proxy->tried |= 1U << i;
        volume = volumes_choose(
                        proxy->proxies->volumes, &proxy->record, avoid | proxy->tried, volume_url);
        if (volume < 0)
                return volume;
        ticket.store = redirect_store(
                        proxy->proxies->index, proxy->proxies->volumes, (uint32_t) volume);
        r = redirect_url(proxy->proxies->secret, volume_url, proxy->key, &ticket, url, sizeof(url));
        if (r >= 0)
                r = make_call(proxy, url);
        if (r < 0)
                return r;

        proxy->volume = (uint32_t) volume;
        proxy->error = 0;
        return 0;
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_(proxy_unrefp) Proxy *proxy = userdata;
        bool is_tried;

        volumes_note_request(proxy->proxies->volumes, proxy->volume, result);
        (void) pthread_mutex_lock(&proxy->lock);
        is_tried = !proxy->replied && proxy->request && is_of_the_copy(proxy, result) &&
                   try_another(proxy) >= 0;
        if (!is_tried && !proxy->replied && proxy->request)
                reply_problem(proxy);
        (void) pthread_mutex_unlock(&proxy->lock);

        if (is_tried)
                http_call_start(http_call_ref(proxy->call), on_done, proxy_ref(proxy));
        else
                pipe_close_write(proxy->pipe, result->error);
}

/* Keeps the record and what it points to. */
static int copy_record(Proxy *proxy, const Record *record) {
        Buffer *strings = &proxy->strings;

        buffer_put(strings, record->content_type, strlen(record->content_type) + 1);
        buffer_put(strings, record->metadata, record->metadata_size);
        if (buffer_error(strings) < 0)
                return buffer_error(strings);

        proxy->record = *record;
        proxy->record.content_type = (const char *) strings->data;
        proxy->record.metadata = (const char *) strings->data + strlen(record->content_type) + 1;
        return 0;
}

void proxies_configure(Proxies *proxies, uint64_t ticket_usec) {
        proxies->ticket_usec = ticket_usec;
}

int proxy_start(const Proxies *proxies,
                HttpRequest *request,
                const char *key,
                const Record *record,
                uint32_t volume,
                const char *url,
                Proxy **ret) {
        _cleanup_(proxy_unrefp) Proxy *proxy = calloc(1, sizeof(*proxy));
        int r;

        if (!proxy)
                return -ENOMEM;
        proxy->proxies = proxies;
        proxy->references = 1;
        proxy->request = request;
        proxy->volume = volume;
        memcpy(proxy->key, key, strlen(key) + 1);
        (void) pthread_mutex_init(&proxy->lock, NULL);

        r = copy_record(proxy, record);
        if (r < 0)
                return r;
        r = pipe_new(PIPE_SIZE, proxies->budget,
                     &(PipeEvents){ .readable = on_readable,
                                    .writable = on_writable,
                                    .userdata = proxy },
                     &proxy->pipe);
        if (r < 0)
                return r;
        r = make_call(proxy, url);
        if (r < 0)
                return r;

        *ret = proxy_ref(proxy);
        http_call_start(http_call_ref(proxy->call), on_done, proxy_ref(proxy));
        return HTTP_LATER;
}

Proxy *proxy_end(Proxy *proxy) {
        if (!proxy)
                return NULL;

        (void) pthread_mutex_lock(&proxy->lock);
        proxy->request = NULL;
        http_call_cancel(proxy->call);
        (void) pthread_mutex_unlock(&proxy->lock);

        return proxy_unref(proxy);
}
