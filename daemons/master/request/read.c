/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/etag.h"
#include "http/parser/date.h"
#include "http/record.h"
#include "master/cluster/choice.h"
#include "master/group/probe.h"
#include "master/request/json-reply.h"
#include "master/request/listing.h"
#include "master/request/proxy.h"
#include "master/request/read.h"
#include "master/request/redirect.h"
#include "master/request/requests.h"
#include "master/upkeep/damage.h"
#include "rpc/way-back.h"
#include "store/index/damage.h"
#include "store/index/identity.h"
#include "store/index/wait.h"

#define VERIFY "&verify=1"

typedef enum ReadProgress {
        READ_LOOKED_UP,
        READ_WAITING, /* for the flush of what was found, or for the other masters to confirm it */
        READ_ABANDONED, /* the request is over, though it was waited for */
} ReadProgress;

typedef struct Read {
        IndexWait wait;
        GroupProbe probe;
        Group *group; /* of masters, which this one is one of; NULL if it is alone; not owned */
        HttpRequest *request;
        atomic_int progress; /* ReadProgress */
        int result;          /* of the look-up */
        Condition condition;
        Record record;
        Buffer scratch; /* of the record */
        Proxy *proxy;
        char key[KEY_MAX + 1];
} Read;

static void read_free(Read *read) {
        (void) proxy_end(read->proxy);
        buffer_done(&read->scratch);
        free(read);
}

/* The wait is over; the handler is called again. */
static void resume(Read *read) {
        HttpRequest *request = read->request;

        if (atomic_exchange(&read->progress, READ_LOOKED_UP) == READ_ABANDONED)
                read_free(read);
        else
                http_request_resume(request);
}

static void on_confirmed(GroupProbe *probe, int error) {
        Read *read = CONTAINER_OF(probe, Read, probe);

        if (error < 0)
                read->result = error;
        resume(read);
}

/* Has the other masters say whether this one still leads. Returns whether that is waited for; it
 * may be over by then. */
static bool confirm(Read *read) {
        int r;

        read->probe.done = on_confirmed;
        r = group_probe(read->group, &read->probe);
        if (r < 0)
                read->result = r;
        return r >= 0;
}

/* What one of several masters has found is good if it leads after that. As confirm(). */
static bool confirm_found(Read *read, int result) {
        read->result = result;
        return read->group && !group_has_lease(read->group, read->probe.term) && confirm(read);
}

/* The request may have come, and the lead gone, since what was found was written. */
static void on_flushed(IndexWait *wait, int result) {
        Read *read = CONTAINER_OF(wait, Read, wait);

        if (!confirm_found(read, result))
                resume(read);
}

static int new_read(HttpRequest *request, Read **ret) {
        Read *read = calloc(1, sizeof(*read));

        if (!read)
                return -ENOMEM;

        *http_request_state(request) = *ret = read;
        read->request = request;
        read->group = requests_of(request)->group;
        read->wait.done = on_flushed;
        read->probe.term = index_identity(requests_of(request)->index)->term;
        return 0;
}

/* A key that is just being written is answered for after the flush, and no other reader waits until
 * then. */
static int begin(HttpRequest *request, const char *path, Read **ret) {
        Read *read;
        int r;

        r = new_read(request, &read);
        if (r < 0)
                return r;
        *ret = read;
        r = key_from_path(path, read->key);
        if (r < 0)
                return r;
        r = http_request_get_condition(request, &read->condition);
        if (r < 0)
                return r;

        atomic_store(&read->progress, READ_WAITING);
        r = index_get_or_wait(
                        requests_of(request)->index, read->key, &read->scratch, &read->record,
                        &read->wait);
        if (r != -EAGAIN && !confirm_found(read, r))
                atomic_store(&read->progress, READ_LOOKED_UP);
        return 0;
}

static int check(const Read *read) {
        int r = read->result;

        if (r == -ENOENT && read->condition.match.present)
                return -ECANCELED;
        if (r == -EBADMSG)
                damage_log_index(read->key);
        if (r < 0)
                return r;
        return condition_check_read(
                        &read->condition, &read->record.checksum, read->record.mtime_usec);
}

/* Looks the key of the path up and checks the request's conditions. Returns 0, 1 if the answer is
 * 304, HTTP_AGAIN, or a negative errno. */
static int lookup(HttpRequest *request, const char *path, Read **ret) {
        Read *read = *http_request_state(request);
        int r;

        if (!read) {
                r = begin(request, path, &read);
                if (r < 0)
                        return r;
        }
        if (atomic_load(&read->progress) == READ_WAITING)
                return HTTP_AGAIN;

        *ret = read;
        return check(read);
}

static int add_etag(HttpRequest *request, const Record *record) {
        char etag[ETAG_SIZE];

        etag_of_checksum(&record->checksum, etag);
        return http_request_add_header(request, "ETag", etag);
}

/* A parameter "NAME=1" or "NAME=0" overrides the default. */
static bool get_flag(HttpRequest *request, const char *name, bool initial) {
        char value[2];

        if (*http_request_query(request) &&
            http_request_parameter(request, name, value, sizeof(value)) == 1)
                return *value == '1';
        return initial;
}

/* A client that was sent back is sent to each copy in turn, and the prober is told to look who is
 * where. Returns the copies to avoid, as bits. */
static unsigned avoid_again(HttpRequest *request, const Record *record) {
        Requests *requests = requests_of(request);
        unsigned n = way_back_count(request);

        if (n == 0 || record->n_copies == 0)
                return 0;
        for (size_t i = 0; i < record->n_copies; i++)
                prober_hurry(requests->prober, record->copies[i]);
        return ~(1U << (n - 1) % record->n_copies);
}

/* A bad copy is worse than one whose turn it is not. */
static unsigned avoid(HttpRequest *request, const Record *record) {
        Requests *requests = requests_of(request);
        unsigned all = (1U << record->n_copies) - 1, again = avoid_again(request, record);
        unsigned bad = index_damaged(requests->index, record) |
                       stale_avoid(requests->stale, record);

        return ~(bad | again) & all ? bad | again : bad;
}

/* Writes the address of the value at a volume that has a copy and is up. Returns its number. */
static int make_url(
                HttpRequest *request,
                const char *key,
                const Record *record,
                bool is_proxied,
                char ret[static REDIRECT_URL_SIZE]) {
        Requests *requests = requests_of(request);
        char volume_url[VOLUME_URL_SIZE];
        Ticket ticket = {
                .method = TICKET_READ,
                .version = record->version,
                .revision = record->revision,
                .expiry_sec = (clock_realtime() + requests->ticket_usec) / USEC_PER_SEC,
        };
        int volume, r;

        volume = volumes_choose(requests->volumes, record, avoid(request, record), volume_url);
        if (volume < 0)
                return volume;
        ticket.store = redirect_store(requests->index, requests->volumes, (uint32_t) volume);
        if (!is_proxied)
                way_back_put(request, &ticket);
        r = redirect_url(
                        requests->secret, volume_url, key, &ticket, ret,
                        REDIRECT_URL_SIZE - strlen(VERIFY));
        if (r < 0)
                return r;
        if (get_flag(request, "verify", false))
                memcpy(ret + strlen(ret), VERIFY, sizeof(VERIFY));
        return volume;
}

/* A listing is looked up after the others have confirmed the lead: whatever was acknowledged before
 * they were asked is in the index by then. */
static int list(HttpRequest *request) {
        Requests *requests = requests_of(request);
        Read *read = *http_request_state(request);
        int r;

        if (!requests->group)
                return listing_finish(requests->index, request);
        if (!read) {
                r = new_read(request, &read);
                if (r < 0)
                        return r;
                atomic_store(&read->progress, READ_WAITING);
                if (!confirm(read))
                        atomic_store(&read->progress, READ_LOOKED_UP);
        }
        if (atomic_load(&read->progress) == READ_WAITING)
                return HTTP_AGAIN;
        return read->result < 0 ? read->result : listing_finish(requests->index, request);
}

int read_get_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        char url[REDIRECT_URL_SIZE];
        bool is_proxied;
        Read *read;
        int volume, r;

        if (lead_refuses(requests->lead, request))
                return 0;
        if (strcmp(http_request_path(request), "/") == 0)
                return list(request);

        r = lookup(request, http_request_path(request), &read);
        if (r < 0 || r == HTTP_AGAIN)
                return r;
        if (r > 0)
                return http_request_reply_not_modified(request, &read->record);

        is_proxied = get_flag(request, "proxy", requests->proxy) || key_has_dots(read->key);
        volume = way_back_count(request) < WAY_BACK_MAX
                                 ? make_url(request, read->key, &read->record, is_proxied, url)
                                 : -EHOSTDOWN;
        if (volume == -EHOSTDOWN)
                return http_request_reply_error(
                                request, volume,
                                "No volume that has a copy of the value can be reached.");
        if (volume < 0)
                return volume;
        if (is_proxied)
                return proxy_start(
                                &requests->proxies, request, read->key, &read->record,
                                (uint32_t) volume, url, &read->proxy);

        return redirect_reply(request, url);
}

int read_head_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        char date[HTTP_DATE_SIZE];
        const Record *record;
        Read *read;
        int r;

        if (lead_refuses(requests->lead, request))
                return 0;

        if (strcmp(http_request_path(request), "/") == 0)
                return list(request);

        r = lookup(request, http_request_path(request), &read);
        if (r < 0 || r == HTTP_AGAIN)
                return r;
        if (r > 0)
                return http_request_reply_not_modified(request, &read->record);

        record = &read->record;
        http_date_format(record->mtime_usec / USEC_PER_SEC, date);
        r = add_etag(request, record);
        if (r >= 0)
                r = http_request_add_record(request, record);
        if (r >= 0)
                r = http_request_add_header(request, "Last-Modified", date);
        if (r >= 0)
                r = http_request_add_header(request, "Accept-Ranges", "bytes");
        return r < 0 ? r : http_request_reply_head(request, 200, record->size);
}

static Json *make_copies(Requests *requests, const Record *record) {
        Json *copies = json_new_array();

        for (size_t i = 0; i < record->n_copies; i++) {
                char url[VOLUME_URL_SIZE] = "";
                int up = volumes_url(requests->volumes, record->copies[i], url);
                DamageKind damage = index_damage_kind(
                                requests->index, record->version, record->copies[i]);
                Json *copy = json_new_object();

                json_add_uint(copy, "volume", record->copies[i]);
                json_add_string(copy, "url", url);
                json_add_bool(copy, "up", up >= 0);
                if (damage != DAMAGE_NONE)
                        json_add_string(copy, "damage", damage_kind_to_string(damage));
                json_append(copies, copy);
        }
        return copies;
}

int read_where_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        _cleanup_(json_freep) Json *answer = json_new_object();
        char path[KEY_PATH_SIZE];
        const Record *record;
        Read *read;
        int r;

        if (lead_redirects(requests->lead, request))
                return 0;
        r = lookup(request, http_request_path(request) + strlen("/-/where"), &read);
        if (r < 0 || r == HTTP_AGAIN)
                return r;
        if (r > 0)
                return http_request_reply_not_modified(request, &read->record);

        record = &read->record;
        (void) key_to_path(read->key, path);
        json_add_string(answer, "key", path + 1);
        r = json_reply_add_record(answer, record);
        if (r < 0)
                return r;
        json_add_uint(answer, "object", record->version);
        json_add_string(answer, "content_type", record->content_type);
        json_add(answer, "copies", make_copies(requests, record));
        return json_reply(request, 200, answer);
}

void read_end(HttpRequest *request) {
        Read *read = *http_request_state(request);

        if (read && atomic_exchange(&read->progress, READ_ABANDONED) != READ_WAITING)
                read_free(read);
}
