/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "master/link/order.h"
#include "master/link/outbox.h"

#define BATCH_ITEMS_MAX 1024
#define BATCH_BYTES_MAX (1 * MIB)
#define CONFIRMED_MAX   100000 /* kept for a volume that takes nothing */

/* What is confirmed waits so long for something to be stored. */
#define CONFIRM_USEC USEC_PER_SEC

/* How long, and how often, a volume is asked again that has to report first. */
#define AGAIN_FOR_USEC USEC_PER_SEC
#define AGAIN_USEC     (20 * USEC_PER_MSEC)

/* After this time a new wait begins, even if the volume has carried out no order in between. */
#define AGAIN_ANEW_USEC (5 * USEC_PER_SEC)

typedef struct Desk Desk;

/* What waits for a volume on a loop. */
typedef struct Tray {
        Desk *desk; /* not owned */
        uint32_t volume;
        OutboxItem *waiting, **tail;
        bool is_busy;    /* a call is under way, or about to be */
        LoopWaker waker; /* for a call that is about to be */
        Buffer confirmed;
        uint64_t n_confirmed;
        bool is_due_soon; /* they go in a while by themselves, if they have not gone by then */
        bool flush;       /* confirmations must be sent though nothing waits */

        /* Of the calls, one after the other */
        uint64_t again_since_usec; /* monotonic: when the volume was first found to have to report;
                                    * 0 if it has */
} Tray;

/* All trays of a loop, whose thread is the only one that touches them. */
struct Desk {
        Outbox *outbox; /* not owned */
        Loop *loop;     /* not owned */
        Tray **trays;   /* by number of the volume, NULL where none was needed yet */
        size_t n_trays;
};

struct Outbox {
        Peers *peers;     /* not owned */
        Volumes *volumes; /* not owned */
        size_t n_desks;
        Desk desks[];
};

typedef struct Batch {
        Tray *tray;
        OutboxItem *items;
} Batch;

int outbox_new(Peers *peers, Volumes *volumes, Outbox **ret) {
        const Loops *loops = peers_loops(peers);
        size_t n = loops_count(loops);
        Outbox *outbox = calloc(1, sizeof(*outbox) + n * sizeof(outbox->desks[0]));

        if (!outbox)
                return -ENOMEM;

        outbox->peers = peers;
        outbox->volumes = volumes;
        outbox->n_desks = n;
        for (size_t i = 0; i < n; i++)
                outbox->desks[i] = (Desk){ .outbox = outbox, .loop = loops_get(loops, i) };
        *ret = outbox;
        return 0;
}

/* On the loop, behind all errands. */
static void desk_close(void *userdata) {
        Desk *desk = userdata;

        for (size_t i = 0; i < desk->n_trays; i++) {
                Tray *tray = desk->trays[i];

                if (!tray)
                        continue;
                loop_cancel(&tray->waker);
                buffer_done(&tray->confirmed);
                free(tray);
        }
        free(desk->trays);
}

Outbox *outbox_free(Outbox *outbox) {
        if (!outbox)
                return NULL;

        for (size_t i = 0; i < outbox->n_desks; i++)
                loop_call(outbox->desks[i].loop, desk_close, outbox->desks + i);
        free(outbox);
        return NULL;
}

static void on_quiet(LoopWaker *waker);

static Tray *tray_new(Desk *desk, uint32_t volume) {
        Tray *tray = malloc(sizeof(*tray));

        if (!tray)
                return NULL;

        *tray = (Tray){
                .desk = desk,
                .volume = volume,
                .waker = { .on_wake = on_quiet, .loop = desk->loop },
        };
        tray->tail = &tray->waiting;
        return tray;
}

/* NULL if there is no memory. */
static Tray *find_tray(Desk *desk, uint32_t volume) {
        if (volume >= desk->n_trays) {
                Tray **trays = realloc(desk->trays, (volume + 1) * sizeof(Tray *));

                if (!trays)
                        return NULL;
                for (size_t i = desk->n_trays; i <= volume; i++)
                        trays[i] = NULL;
                desk->trays = trays;
                desk->n_trays = volume + 1;
        }
        if (!desk->trays[volume])
                desk->trays[volume] = tray_new(desk, volume);
        return desk->trays[volume];
}

static void finish(OutboxItem *items, int error) {
        while (items) {
                OutboxItem *item = items;

                items = item->next;
                item->done(item, error);
        }
}

/* Hands the answers out. An answer that is too short fails the rest. */
static void finish_answered(OutboxItem *items, const RpcResult *result) {
        Reader reader = READER(result->body, result->body_size);

        while (items) {
                OutboxItem *item = items;
                int error = wire_get_error(&reader);

                items = item->next;
                item->done(item, reader_error(&reader) < 0 ? -EREMOTEIO : error);
        }
}

static void send_batch(void *userdata);

/* Puts the items back, to go with a call in a moment. Returns false if the volume has been asked
 * for too long; later on it gets one chance at a time until it answers. */
static bool try_again(Tray *tray, OutboxItem *items) {
        uint64_t now = clock_monotonic();
        OutboxItem *last = items;

        if (tray->again_since_usec == 0 || now > tray->again_since_usec + AGAIN_ANEW_USEC)
                tray->again_since_usec = now;
        if (now > tray->again_since_usec + AGAIN_FOR_USEC ||
            peers_post_here(tray->desk->outbox->peers, AGAIN_USEC, send_batch, tray) < 0)
                return false;

        if (items) {
                while (last->next)
                        last = last->next;
                last->next = tray->waiting;
                if (!tray->waiting)
                        tray->tail = &last->next;
                tray->waiting = items;
        } else
                tray->flush = true;
        return true;
}

static void on_answer(const RpcResult *result, void *userdata) {
        _cleanup_free_ Batch *batch = userdata;
        Tray *tray = batch->tray;
        OutboxItem *items = batch->items;

        int error = rpc_result_error(result);

        volumes_note_call(tray->desk->outbox->volumes, tray->volume, result);
        if (error == -EINPROGRESS && try_again(tray, items))
                return;
        if (error != -EINPROGRESS)
                tray->again_since_usec = 0;

        /* The next batch first: the volume should not wait while we answer clients. */
        if (error != -ESHUTDOWN)
                send_batch(tray);

        if (error < 0)
                finish(items, error == -EINPROGRESS ? -EHOSTDOWN : error);
        else
                finish_answered(items, result);
}

/* Takes a batch off the tray and encodes it. Returns whether there is something to send. */
static bool take_batch(Tray *tray, Buffer *body, OutboxItem **ret_items) {
        OutboxItem *items, *last = NULL;
        size_t n = 0, bytes = 0;

        items = tray->waiting;
        for (OutboxItem *item = items; item && n < BATCH_ITEMS_MAX && bytes < BATCH_BYTES_MAX;
             item = item->next) {
                bytes += item->size;
                n++;
                last = item;
        }
        if (!last && (!tray->flush || tray->n_confirmed == 0))
                return false;

        tray->flush = false;
        if (last) {
                tray->waiting = last->next;
                if (!tray->waiting)
                        tray->tail = &tray->waiting;
                last->next = NULL;
        }

        buffer_put_varint(body, tray->n_confirmed);
        buffer_put(body, tray->confirmed.data, tray->confirmed.size);
        buffer_clear(&tray->confirmed);
        tray->n_confirmed = 0;

        buffer_put_varint(body, n);
        for (OutboxItem *item = items; item; item = item->next)
                buffer_put_bytes(body, item->data, item->size);
        *ret_items = items;
        return true;
}

static int start_call(Tray *tray, Buffer *body, OutboxItem *items) {
        Outbox *outbox = tray->desk->outbox;
        _cleanup_free_ Batch *batch = NULL;
        int r;

        r = buffer_error(body);
        if (r < 0)
                return r;

        batch = malloc(sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        *batch = (Batch){ .tray = tray, .items = items };

        r = order_send(outbox->volumes,
                       &(Order){
                                       .volume = tray->volume,
                                       .kind = CALL_STORE,
                                       .peers = outbox->peers,
                                       .body = body,
                                       .on_done = on_answer,
                                       .userdata = batch,
                       },
                       NULL);
        if (r < 0)
                return r;

        batch = NULL; /* on_answer() frees it, or has done so */
        return 0;
}

/* One call of the tray has ended or may begin: starts the next one if there is something to send.
 */
static void send_batch(void *userdata) {
        Tray *tray = userdata;
        _cleanup_(buffer_done) Buffer body = {};
        OutboxItem *items = NULL;
        int r;

        for (;;) {
                tray->is_busy = take_batch(tray, &body, &items);
                if (!tray->is_busy)
                        return;

                r = start_call(tray, &body, items);
                if (r >= 0 || (r == -EINPROGRESS && try_again(tray, items)))
                        return;

                finish(items, r == -EINPROGRESS ? -EHOSTDOWN : r);
                buffer_clear(&body);
        }
}

static void on_quiet(LoopWaker *waker) {
        send_batch(CONTAINER_OF(waker, Tray, waker));
}

/* As soon as the loop finds nothing more to do, so that what comes until then goes along. */
static void want_batch(Tray *tray) {
        if (tray->is_busy)
                return;

        tray->is_busy = true;
        loop_call_idle(&tray->waker);
}

/* -- What is asked for -- */

/* For a volume, on a loop. */
typedef struct Errand {
        LoopWaker waker;
        Desk *desk;
        uint32_t volume;
        enum { SUBMIT, CONFIRM, FLUSH } what;
        OutboxItem *item;
        uint64_t version;
} Errand;

static void flush(Tray *tray) {
        tray->flush = true;
        want_batch(tray);
}

/* Not any more once the peers are stopped. */
static void on_due(void *userdata) {
        Tray *tray = userdata;

        tray->is_due_soon = false;
        if (tray->n_confirmed > 0)
                flush(tray);
}

static void confirm(Tray *tray, uint64_t version) {
        if (tray->n_confirmed >= CONFIRMED_MAX)
                return;

        buffer_put_u64(&tray->confirmed, version);
        tray->n_confirmed += buffer_error(&tray->confirmed) == 0;
        if (!tray->is_due_soon)
                tray->is_due_soon = peers_post_here(tray->desk->outbox->peers, CONFIRM_USEC, on_due,
                                                    tray) >= 0;
}

static void run(const Errand *errand) {
        Tray *tray = find_tray(errand->desk, errand->volume);

        if (!tray) {
                if (errand->item)
                        errand->item->done(errand->item, -ENOMEM);
                return;
        }

        switch (errand->what) {
        case SUBMIT:
                errand->item->next = NULL;
                *tray->tail = errand->item;
                tray->tail = &errand->item->next;
                want_batch(tray);
                break;
        case CONFIRM:
                confirm(tray, errand->version);
                break;
        case FLUSH:
                flush(tray);
                break;
        }
}

static void on_handed_over(LoopWaker *waker) {
        Errand *errand = CONTAINER_OF(waker, Errand, waker);

        run(errand);
        free(errand);
}

/* At the desk of this thread; threads that are no loops send somebody to the first one. Returns 0
 * or -ENOMEM. */
static int do_or_send(Outbox *outbox, Errand errand) {
        Errand *sent;

        errand.desk = outbox->desks + loops_here(peers_loops(outbox->peers));
        if (loop_current() == errand.desk->loop) {
                run(&errand);
                return 0;
        }

        sent = malloc(sizeof(*sent));
        if (!sent)
                return -ENOMEM;
        *sent = errand;
        sent->waker = (LoopWaker){ .on_wake = on_handed_over, .loop = errand.desk->loop };
        loop_wake(&sent->waker);
        return 0;
}

void outbox_submit(Outbox *outbox, uint32_t volume, OutboxItem *item) {
        if (do_or_send(outbox, (Errand){ .volume = volume, .what = SUBMIT, .item = item }) < 0)
                item->done(item, -ENOMEM);
}

void outbox_confirm(Outbox *outbox, uint32_t volume, uint64_t version) {
        /* Without memory the volume has to ask. */
        (void) do_or_send(
                        outbox, (Errand){ .volume = volume, .what = CONFIRM, .version = version });
}

void outbox_flush(Outbox *outbox, uint32_t volume) {
        (void) do_or_send(outbox, (Errand){ .volume = volume, .what = FLUSH });
}
