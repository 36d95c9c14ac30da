/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "master/link/order.h"
#include "master/link/outbox.h"

#define BATCH_ITEMS_MAX 1024
#define BATCH_BYTES_MAX (1 * MIB)
#define CONFIRMED_MAX   100000 /* kept for a volume that takes nothing */

/* How long, and how often, a volume is asked again that has to report first. */
#define AGAIN_FOR_USEC USEC_PER_SEC
#define AGAIN_USEC     (20 * USEC_PER_MSEC)

/* After this time a new wait begins, even if the volume has carried out no order in between. */
#define AGAIN_ANEW_USEC (5 * USEC_PER_SEC)

typedef struct Queue {
        Outbox *outbox; /* not owned */
        uint32_t volume;
        pthread_mutex_t lock; /* for the rest */
        OutboxItem *waiting, **tail;
        bool busy; /* a call is under way, or about to be */
        Buffer confirmed;
        uint64_t n_confirmed;
        bool flush; /* confirmations must be sent though nothing waits */

        /* Of the calls, one after the other */
        uint64_t again_since_usec; /* monotonic: when the volume was first found to have to report;
                                    * 0 if it has */
} Queue;

struct Outbox {
        HttpClient *client; /* not owned */
        Volumes *volumes;   /* not owned */
        pthread_rwlock_t lock;
        Queue **queues; /* under the lock; by number of the volume, NULL where none was needed yet
                         */
        size_t n_queues;
};

typedef struct Batch {
        Queue *queue;
        OutboxItem *items;
} Batch;

int outbox_new(HttpClient *client, Volumes *volumes, Outbox **ret) {
        Outbox *outbox = malloc(sizeof(*outbox));

        if (!outbox)
                return -ENOMEM;

        *outbox = (Outbox){ .client = client, .volumes = volumes };
        (void) pthread_rwlock_init(&outbox->lock, NULL);
        *ret = outbox;
        return 0;
}

Outbox *outbox_free(Outbox *outbox) {
        if (!outbox)
                return NULL;

        for (size_t i = 0; i < outbox->n_queues; i++) {
                Queue *queue = outbox->queues[i];

                if (!queue)
                        continue;
                buffer_done(&queue->confirmed);
                (void) pthread_mutex_destroy(&queue->lock);
                free(queue);
        }
        (void) pthread_rwlock_destroy(&outbox->lock);
        free(outbox->queues);
        free(outbox);
        return NULL;
}

static Queue *queue_new(Outbox *outbox, uint32_t volume) {
        Queue *queue = malloc(sizeof(*queue));

        if (!queue)
                return NULL;

        *queue = (Queue){ .outbox = outbox, .volume = volume, .lock = PTHREAD_MUTEX_INITIALIZER };
        queue->tail = &queue->waiting;
        return queue;
}

/* With the lock held for writing. */
static Queue *add_queue(Outbox *outbox, uint32_t volume) {
        if (volume >= outbox->n_queues) {
                Queue **queues = realloc(outbox->queues, (volume + 1) * sizeof(Queue *));

                if (!queues)
                        return NULL;
                for (size_t i = outbox->n_queues; i <= volume; i++)
                        queues[i] = NULL;
                outbox->queues = queues;
                outbox->n_queues = volume + 1;
        }
        if (!outbox->queues[volume])
                outbox->queues[volume] = queue_new(outbox, volume);
        return outbox->queues[volume];
}

/* NULL if there is no memory. */
static Queue *find_queue(Outbox *outbox, uint32_t volume) {
        Queue *queue;

        (void) pthread_rwlock_rdlock(&outbox->lock);
        queue = volume < outbox->n_queues ? outbox->queues[volume] : NULL;
        (void) pthread_rwlock_unlock(&outbox->lock);
        if (queue)
                return queue;

        (void) pthread_rwlock_wrlock(&outbox->lock);
        queue = add_queue(outbox, volume);
        (void) pthread_rwlock_unlock(&outbox->lock);
        return queue;
}

static void finish(OutboxItem *items, int error) {
        while (items) {
                OutboxItem *item = items;

                items = item->next;
                item->done(item, error);
        }
}

/* Hands the answers out. An answer that is too short fails the rest. */
static void finish_answered(OutboxItem *items, const HttpResult *result) {
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
static bool try_again(Queue *queue, OutboxItem *items) {
        uint64_t now = clock_monotonic();
        OutboxItem *last = items;

        if (queue->again_since_usec == 0 || now > queue->again_since_usec + AGAIN_ANEW_USEC)
                queue->again_since_usec = now;
        if (now > queue->again_since_usec + AGAIN_FOR_USEC ||
            http_client_post(queue->outbox->client, AGAIN_USEC, send_batch, queue) < 0)
                return false;

        /* On the thread where the post will run. */
        (void) pthread_mutex_lock(&queue->lock);
        if (items) {
                while (last->next)
                        last = last->next;
                last->next = queue->waiting;
                if (!queue->waiting)
                        queue->tail = &last->next;
                queue->waiting = items;
        } else
                queue->flush = true;
        (void) pthread_mutex_unlock(&queue->lock);
        return true;
}

static void on_answer(HttpCall *call, const HttpResult *result, void *userdata) {
        _cleanup_free_ Batch *batch = userdata;
        Queue *queue = batch->queue;
        OutboxItem *items = batch->items;

        int error = order_result(result);

        volumes_note_call(queue->outbox->volumes, queue->volume, result);
        if (error == -EINPROGRESS && try_again(queue, items))
                return;
        if (error != -EINPROGRESS)
                queue->again_since_usec = 0;

        /* The next batch first: the volume should not wait while we answer clients. */
        if (error != -ESHUTDOWN)
                send_batch(queue);

        if (error < 0)
                finish(items, error == -EINPROGRESS ? -EHOSTDOWN : error);
        else
                finish_answered(items, result);
}

/* Takes a batch off the queue and encodes it. Returns whether there is something to send. */
static bool take_batch(Queue *queue, Buffer *body, OutboxItem **ret_items) {
        OutboxItem *items, *last = NULL;
        size_t n = 0, bytes = 0;

        items = queue->waiting;
        for (OutboxItem *item = items; item && n < BATCH_ITEMS_MAX && bytes < BATCH_BYTES_MAX;
             item = item->next) {
                bytes += item->size;
                n++;
                last = item;
        }
        if (!last && (!queue->flush || queue->n_confirmed == 0))
                return false;

        queue->flush = false;
        if (last) {
                queue->waiting = last->next;
                if (!queue->waiting)
                        queue->tail = &queue->waiting;
                last->next = NULL;
        }

        buffer_put_varint(body, queue->n_confirmed);
        buffer_put(body, queue->confirmed.data, queue->confirmed.size);
        buffer_clear(&queue->confirmed);
        queue->n_confirmed = 0;

        buffer_put_varint(body, n);
        for (OutboxItem *item = items; item; item = item->next)
                buffer_put_bytes(body, item->data, item->size);
        *ret_items = items;
        return true;
}

static int start_call(Queue *queue, Buffer *body, OutboxItem *items) {
        Outbox *outbox = queue->outbox;
        _cleanup_free_ Batch *batch = NULL;
        int r;

        r = buffer_error(body);
        if (r < 0)
                return r;

        batch = malloc(sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        *batch = (Batch){ .queue = queue, .items = items };

        r = order_send(outbox->volumes,
                       &(Order){
                                       .volume = queue->volume,
                                       .kind = CALL_STORE,
                                       .client = outbox->client,
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

/* One call of the queue has ended or may begin: starts the next one if there is something to send.
 */
static void send_batch(void *userdata) {
        Queue *queue = userdata;
        _cleanup_(buffer_done) Buffer body = {};
        OutboxItem *items = NULL;
        bool send;
        int r;

        for (;;) {
                (void) pthread_mutex_lock(&queue->lock);
                send = queue->busy = take_batch(queue, &body, &items);
                (void) pthread_mutex_unlock(&queue->lock);
                if (!send)
                        return;

                r = start_call(queue, &body, items);
                if (r >= 0 || (r == -EINPROGRESS && try_again(queue, items)))
                        return;

                finish(items, r == -EINPROGRESS ? -EHOSTDOWN : r);
                buffer_clear(&body);
        }
}

/* On the client's thread, so that what others submit until it gets there goes with this. */
static void post_batch(Queue *queue) {
        if (http_client_post(queue->outbox->client, 0, send_batch, queue) < 0)
                send_batch(queue);
}

void outbox_submit(Outbox *outbox, uint32_t volume, OutboxItem *item) {
        Queue *queue = find_queue(outbox, volume);
        bool send;

        if (!queue) {
                item->done(item, -ENOMEM);
                return;
        }

        item->next = NULL;
        (void) pthread_mutex_lock(&queue->lock);
        *queue->tail = item;
        queue->tail = &item->next;
        send = !queue->busy;
        queue->busy = true;
        (void) pthread_mutex_unlock(&queue->lock);

        if (send)
                post_batch(queue);
}

void outbox_confirm(Outbox *outbox, uint32_t volume, uint64_t version) {
        Queue *queue = find_queue(outbox, volume);

        if (!queue)
                return;

        (void) pthread_mutex_lock(&queue->lock);
        if (queue->n_confirmed < CONFIRMED_MAX) {
                buffer_put_u64(&queue->confirmed, version);
                queue->n_confirmed += buffer_error(&queue->confirmed) == 0;
        }
        (void) pthread_mutex_unlock(&queue->lock);
}

void outbox_flush(Outbox *outbox, uint32_t volume) {
        Queue *queue = find_queue(outbox, volume);
        bool send;

        if (!queue)
                return;

        (void) pthread_mutex_lock(&queue->lock);
        queue->flush = true;
        send = !queue->busy;
        queue->busy = true;
        (void) pthread_mutex_unlock(&queue->lock);
        if (send)
                post_batch(queue);
}
