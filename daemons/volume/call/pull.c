/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "core/call/fetch-parser.h"
#include "core/url.h"
#include "http/status.h"
#include "rpc/signed-call.h"
#include "store/object/writer.h"
#include "volume/call/pull.h"
#include "volume/call/store-call.h"

/* The most bytes per second that a pull takes while clients are being served here. */
#define BACKGROUND_RATE (32 * MIB)

/* How often a pull that waits looks whether somebody still wants it. */
#define CHECK_USEC USEC_PER_SEC

typedef struct Pull Pull;
typedef struct PullItem PullItem;

struct PullItem {
        Pull *pull;
        WirePullItem wire;
        bool to_verify; /* it is here, in a file that was not verified yet */
        bool is_bad;    /* it is here, and to be replaced */
        Checksum expected;
        ObjectWriter *writer;
        int error;
        PullItem *next; /* from the same source */
};

/* A call to another volume, on the client's thread. */
typedef struct PullSource {
        Pull *pull;
        const WirePullSource *wire;
        PullItem *wanted, **tail; /* what has not begun to arrive, in the order of the call */
        PullItem *current;        /* what arrives; NULL if nobody wants that any more */
        FetchParser parser;
        HttpCall *call;           /* not owned */
        uint64_t not_before_usec; /* when more may be taken; monotonic */
} PullSource;

/* Belongs to the request, and is answered when all items and sources are done. */
struct Pull {
        RpcRequest *request;
        const PullOptions *options; /* not owned */
        WirePull wire;
        Task verify;
        PendingList *list;  /* of all items */
        atomic_uint n_left; /* items and sources that are not done */
        PullItem *items;
        PullSource *sources;
};

static void pull_free(void *userdata) {
        Pull *pull = userdata;

        for (size_t i = 0; pull->items && i < pull->wire.n_items; i++)
                (void) object_writer_free(pull->items[i].writer);
        pending_list_end(pull->options->copies->pending, pull->list);
        free(pull->items);
        free(pull->sources);
        free(pull);
}

/* The answer for an item. The master takes a 0 for a copy that is pending, and so has a while
 * until it is asked about. A copy that was settled or deleted while this call waited for others
 * may be about to go. */
static int final_error(PullItem *item) {
        const Copies *copies = item->pull->options->copies;
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        if (item->error < 0 || pending_contains(copies->pending, item->wire.version))
                return item->error;

        pending_begin(copies->pending, item->wire.version, item->pull->list);
        r = object_store_get(copies->store, item->wire.version, &scratch, &object, &fd);
        pending_end(copies->pending, item->wire.version, r >= 0);
        return -EAGAIN;
}

static void pull_done(Pull *pull) {
        _cleanup_(buffer_done) Buffer answer = {};

        if (atomic_fetch_sub(&pull->n_left, 1) > 1)
                return;

        for (size_t i = 0; i < pull->wire.n_items; i++)
                wire_put_error(&answer, final_error(pull->items + i));
        (void) rpc_request_reply(pull->request, NULL, &answer);
}

static void item_done(PullItem *item, int error) {
        item->error = error < 0 ? error : 0;
        pull_done(item->pull);
}

static bool is_late(const Pull *pull) {
        return clock_cluster() > pull->wire.deadline_usec;
}

static void on_stored(ObjectWriter *writer, int result, void *userdata) {
        PullItem *item = userdata;
        const Copies *copies = item->pull->options->copies;

        pending_end(copies->pending, item->wire.version, result >= 0 || item->is_bad);
        if (result >= 0)
                damage_forget(copies->damage, item->wire.version);
        result = faults_note(copies->faults, result, item->wire.size);
        if (result == -EBADMSG &&
            checksum_equal(&object_writer_record(writer)->checksum, &item->expected))
                result = -EIO; /* the value came as it should: it is our own page that is damaged */
        item->writer = object_writer_free(item->writer);
        item_done(item, result);
}

static int open_writer(PullItem *item, const Object *object) {
        const Copies *copies = item->pull->options->copies;
        int r;

        if (strcmp(object->key, item->wire.key) != 0 || object->record.size != item->wire.size ||
            record_check(&object->record) < 0)
                return -EBADMSG;
        if (is_late(item->pull))
                return -ESTALE;

        r = faults_check(copies->faults);
        if (r < 0)
                return r;
        r = object_writer_new(
                        copies->store, object->key, &object->record, object->record.size,
                        &item->writer);
        if (r < 0)
                return faults_note(copies->faults, r, object->record.size);

        item->expected = object->record.checksum;
        object_writer_expect(item->writer, &item->expected);
        if (item->is_bad)
                object_writer_replace(item->writer);
        return 0;
}

/* Gives up what arrives. Returns 0 to go on with what comes behind it, or -ECANCELED if it takes
 * long to come and nothing is behind it. */
static int give_up(PullSource *source, int error) {
        PullItem *item = TAKE_PTR(source->current);

        item->writer = object_writer_free(item->writer);
        item_done(item, error);
        return source->wanted || source->parser.head.value_size <= INLINE_MAX ? 0 : -ECANCELED;
}

static int on_object(void *userdata, uint64_t version, int error, const Object *object) {
        PullSource *source = userdata;
        PullItem *item = source->wanted;
        int r;

        if (!item || item->wire.version != version)
                return -EPROTO;
        source->wanted = item->next;
        source->current = item;

        r = error < 0 ? error : open_writer(item, object);
        return r < 0 ? give_up(source, r) : 0;
}

static int on_value(void *userdata, const void *data, size_t size) {
        PullSource *source = userdata;
        int r;

        if (!source->current)
                return 0;

        r = is_late(source->pull)
                            ? -ESTALE
                            : faults_note(source->pull->options->copies->faults,
                                          object_writer_append(source->current->writer, data, size),
                                          source->current->wire.size);
        return r < 0 ? give_up(source, r) : 0;
}

static int on_end(void *userdata) {
        PullSource *source = userdata;
        PullItem *item;

        if (!source->current)
                return 0;
        if (is_late(source->pull))
                return give_up(source, -ESTALE);

        item = TAKE_PTR(source->current);
        pending_begin(source->pull->options->copies->pending, item->wire.version,
                      source->pull->list);
        object_writer_finish(item->writer, on_stored, item);
        return 0;
}

static int on_head(HttpCall *call, unsigned status, void *userdata) {
        PullSource *source = userdata;

        source->call = call;
        return status == 200 ? 0 : status >= 400 ? -http_status_to_call_error(status) : -EREMOTEIO;
}

/* In bytes per second, 0 for no limit. */
static uint64_t rate_now(const Pull *pull) {
        uint64_t rate = pull->wire.rate;

        if (!activity_has_clients(pull->options->activity))
                return rate;
        return rate > 0 ? MIN(rate, BACKGROUND_RATE) : BACKGROUND_RATE;
}

static int on_body(void *userdata, const void *data, size_t size) {
        PullSource *source = userdata;
        uint64_t now = clock_monotonic(), rate = rate_now(source->pull);
        int r;

        r = rpc_request_check(source->pull->request); /* somebody has to want the copies */
        if (r < 0)
                return r;
        if (rate > 0 && source->not_before_usec > now) {
                r = http_call_resume_after(
                                source->call, MIN(source->not_before_usec - now, CHECK_USEC));
                return r < 0 ? r : -EAGAIN;
        }
        if (rate > 0)
                source->not_before_usec = now + size * USEC_PER_SEC / rate;

        return fetch_parser_feed(&source->parser, data, size);
}

/* Ends a source: the items that have not come will not come. */
static void end_source(PullSource *source, int error) {
        if (source->current)
                (void) give_up(source, error);
        while (source->wanted) {
                PullItem *item = source->wanted;

                source->wanted = item->next;
                item_done(item, error);
        }
        fetch_parser_done(&source->parser);
        pull_done(source->pull);
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        PullSource *source = userdata;

        faults_note_peer(
                        source->pull->options->copies->faults, url_authority(source->wire->url),
                        result->error);
        end_source(source, result->error ?: -EPROTO);
}

static int start_source(PullSource *source) {
        static const FetchParserEvents events = {
                .on_object = on_object,
                .on_value = on_value,
                .on_end = on_end,
        };
        const PullOptions *options = source->pull->options;
        _cleanup_(buffer_done) Buffer body = {};
        Parties parties;
        int r;

        for (const PullItem *item = source->wanted; item; item = item->next)
                buffer_put_u64(&body, item->wire.version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        (void) allegiance_call(options->callers->allegiance, &parties); /* the pull was an order */
        parties.to = source->wire->store;

        fetch_parser_init(&source->parser, &events);
        source->parser.events.userdata = source;
        return signed_call(
                        &(SignedCall){
                                        .client = options->client,
                                        .kind = CALL_FETCH,
                                        .url = source->wire->url,
                                        .parties = &parties,
                                        .body = &body,
                                        .on_head = on_head,
                                        .on_body = on_body,
                                        .on_done = on_done,
                                        .userdata = source,
                        },
                        NULL);
}

static void want(PullItem *item) {
        PullSource *source = item->pull->sources + item->wire.source;

        *source->tail = item;
        source->tail = &item->next;
}

/* Fetches what is wanted. This, too, is counted in n_left. */
static void start_sources(Pull *pull) {
        for (size_t i = 0; i < pull->wire.n_sources; i++) {
                PullSource *source = pull->sources + i;
                int r = 0;

                if (source->wanted) {
                        r = start_source(source);
                        if (r >= 0)
                                continue;
                }
                end_source(source, r);
        }
        pull_done(pull);
}

/* Takes RESULT, what the store says about an object that should not be there yet. A damaged copy
 * is in the way of a good one, unless it has to be replaced. */
static void found(PullItem *item, int result) {
        bool is_bad = result != -ENOENT && damage_kind_of_error(result) != DAMAGE_NONE;

        item->is_bad = is_bad && item->wire.replace;
        pending_end(item->pull->options->copies->pending, item->wire.version,
                    result >= 0 || item->is_bad);
        if (result >= 0)
                damage_forget(item->pull->options->copies->damage, item->wire.version);
        if (result == -ENOENT || item->is_bad)
                want(item);
        else
                item_done(item, is_bad ? -EEXIST : result);
}

/* Begins before it looks: the object must be pending at least for as long as this volume knows that
 * it is there. */
static void look_up(PullItem *item, Buffer *scratch) {
        const Copies *copies = item->pull->options->copies;
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        pending_begin(copies->pending, item->wire.version, item->pull->list);
        r = object_store_get(copies->store, item->wire.version, scratch, &object, &fd);
        if (r >= 0 &&
            (strcmp(object.key, item->wire.key) != 0 || object.record.size != item->wire.size))
                r = -EBADMSG;

        if (r >= 0 && fd >= 0)
                item->to_verify = true;
        else
                found(item, r);
}

static void run_verify(Task *task) {
        Pull *pull = CONTAINER_OF(task, Pull, verify);

        for (size_t i = 0; i < pull->wire.n_items; i++) {
                PullItem *item = pull->items + i;

                if (item->to_verify)
                        found(item,
                              object_store_verify(
                                              pull->options->copies->store, item->wire.version));
        }
        start_sources(pull);
}

/* The strings stay in the body. Returns 0, -EINVAL, or -ENOMEM. */
static int read_items(Pull *pull, Reader *reader) {
        uint64_t in_memory = 0;

        if (wire_get_pull(reader, &pull->wire) < 0)
                return -EINVAL;
        pull->items = calloc(MAX(pull->wire.n_items, (size_t) 1), sizeof(*pull->items));
        pull->sources = calloc(pull->wire.n_sources, sizeof(*pull->sources));
        if (!pull->items || !pull->sources)
                return -ENOMEM;

        for (size_t i = 0; i < pull->wire.n_sources; i++) {
                PullSource *source = pull->sources + i;

                *source = (PullSource){ .pull = pull, .wire = pull->wire.sources + i };
                source->tail = &source->wanted;
        }

        for (size_t i = 0; i < pull->wire.n_items; i++) {
                PullItem *item = pull->items + i;

                item->pull = pull;
                if (wire_get_pull_item(reader, pull->wire.n_sources, &item->wire) < 0 ||
                    item->wire.version == 0 || item->wire.version > RECORD_VERSION_MAX ||
                    item->wire.size > RECORD_SIZE_MAX ||
                    pull->wire.sources[item->wire.source].store.number == 0)
                        return -EINVAL;
                if (item->wire.size <= pull->options->copies->inline_max)
                        in_memory += item->wire.size;
        }

        return reader_end(reader) < 0 || in_memory > WIRE_PULL_INLINE_MAX ? -EINVAL : 0;
}

static PendingList *make_list(const Pull *pull) {
        uint64_t versions[WIRE_PULL_MAX];

        for (size_t i = 0; i < pull->wire.n_items; i++)
                versions[i] = pull->items[i].wire.version;
        return pending_list_new(pull->options->copies->pending, versions, pull->wire.n_items);
}

int pull_finish(const PullOptions *options, RpcRequest *request) {
        _cleanup_(buffer_done) Buffer scratch = {};
        bool to_verify = false;
        const Buffer *body;
        Reader reader;
        Pull *pull;
        int r;

        body = caller_read_order(options->callers, request);
        reader = READER(body->data, body->size);
        r = store_call_read_confirmed(options->copies->pending, &reader);
        if (r < 0)
                return -EINVAL;

        pull = calloc(1, sizeof(*pull));
        if (!pull)
                return -ENOMEM;
        rpc_request_set_state(request, pull, pull_free);
        pull->request = request;
        pull->options = options;
        pull->verify.run = run_verify;
        r = read_items(pull, &reader);
        if (r < 0)
                return r;

        pull->list = make_list(pull);
        pull->n_left = (unsigned) (pull->wire.n_items + pull->wire.n_sources + 1);
        for (size_t i = 0; i < pull->wire.n_items; i++) {
                look_up(pull->items + i, &scratch);
                to_verify = to_verify || pull->items[i].to_verify;
        }
        if (to_verify)
                workers_submit(options->workers, &pull->verify);
        else
                start_sources(pull);
        return RPC_LATER;
}
