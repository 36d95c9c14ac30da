/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "master/link/order.h"
#include "master/upkeep/damage.h"
#include "master/upkeep/store-check.h"

#define PAGE_MAX 256 /* keys that are looked at before the volume is asked */

struct StoreCheck {
        StoreCheckOptions options;
        uint32_t volume;
        char cursor[KEY_MAX + 1]; /* the last key of the pages before */

        /* The page: which keys name a copy on the volume, and what it says of these. */
        size_t n_seen, n;
        char last[KEY_MAX + 1]; /* the last key of this page */
        DamageCopy copies[PAGE_MAX];
        int errors[PAGE_MAX];

        /* What is asked of the volume, or of the index. */
        IndexDamage damage;
        IndexDamageItem items[PAGE_MAX];
        int result;
        sem_t answered;

        pthread_mutex_t lock; /* for the rest */
        bool is_stopping;
        RpcCallHandle *call; /* a reference */
};

int store_check_new(const StoreCheckOptions *options, StoreCheck **ret) {
        StoreCheck *check = calloc(1, sizeof(*check));

        if (!check)
                return -ENOMEM;

        check->options = *options;
        (void) sem_init(&check->answered, 0, 0);
        (void) pthread_mutex_init(&check->lock, NULL);
        *ret = check;
        return 0;
}

static void clear_page(StoreCheck *check) {
        for (size_t i = 0; i < check->n; i++)
                free(check->copies[i].key);
        check->n = check->n_seen = 0;
}

StoreCheck *store_check_free(StoreCheck *check) {
        if (!check)
                return NULL;

        clear_page(check);
        (void) sem_destroy(&check->answered);
        (void) pthread_mutex_destroy(&check->lock);
        free(check);
        return NULL;
}

void store_check_begin(StoreCheck *check, uint32_t volume) {
        check->volume = volume;
        *check->cursor = '\0';
}

static int on_entry(const char *key, const Record *record, void *userdata) {
        StoreCheck *check = userdata;
        char *copy;

        (void) snprintf(check->last, sizeof(check->last), "%s", key);
        check->n_seen++;
        for (size_t i = 0; i < record->n_copies; i++) {
                if (record->copies[i] != check->volume)
                        continue;
                copy = strdup(key);
                if (!copy)
                        return -ENOMEM;
                check->copies[check->n++] = (DamageCopy){ record->version, copy };
        }
        return 0;
}

static void await_answer(StoreCheck *check) {
        while (sem_wait(&check->answered) < 0)
                ; /* interrupted by a signal */
}

static void on_checked(const RpcResult *result, void *userdata) {
        StoreCheck *check = userdata;
        Reader answer = READER(result->body, result->body_size);

        check->result = rpc_result_error(result);
        for (size_t i = 0; i < check->n && check->result >= 0; i++)
                check->errors[i] = wire_get_error(&answer);
        if (check->result >= 0)
                check->result = reader_end(&answer);
        (void) sem_post(&check->answered);
}

/* Returns 0 if the call is under way. */
static int start_call(StoreCheck *check) {
        Order order = {
                .volume = check->volume,
                .kind = CALL_CHECK,
                .peers = check->options.peers,
                .on_done = on_checked,
                .userdata = check,
        };
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        buffer_put_u8(&body, WIRE_CHECK_PRESENT);
        for (size_t i = 0; i < check->n; i++)
                buffer_put_u64(&body, check->copies[i].version);
        r = buffer_error(&body);
        if (r < 0)
                return r;

        order.body = &body;
        (void) pthread_mutex_lock(&check->lock);
        r = check->is_stopping ? -ESHUTDOWN
                               : order_send(check->options.volumes, &order, &check->call);
        (void) pthread_mutex_unlock(&check->lock);
        return r;
}

/* Whether the volume has each copy. */
static int ask_volume(StoreCheck *check) {
        int r;

        r = start_call(check);
        if (r < 0)
                return r;
        await_answer(check);

        (void) pthread_mutex_lock(&check->lock);
        check->call = rpc_call_unref(check->call);
        (void) pthread_mutex_unlock(&check->lock);
        return check->result;
}

static void on_marked(IndexRequest *request, IndexResult result) {
        StoreCheck *check = CONTAINER_OF(request, StoreCheck, damage.request);

        if (result.outcome == INDEX_DONE)
                damage_log_lost(&check->damage);
        check->result = result.error;
        (void) sem_post(&check->answered);
}

/* Without its marks a page is not checked: nobody else would look for what is missing. */
static int mark_missing(StoreCheck *check) {
        size_t n = 0;

        for (size_t i = 0; i < check->n; i++) {
                DamageKind kind = check->errors[i] < 0 ? damage_kind_of_error(check->errors[i])
                                                       : DAMAGE_NONE;

                if (kind != DAMAGE_NONE)
                        check->items[n++] = (IndexDamageItem){
                                .version = check->copies[i].version,
                                .volume = check->volume,
                                .key = check->copies[i].key,
                                .kind = kind,
                        };
        }
        if (n == 0)
                return 0;

        check->damage = (IndexDamage){
                .request.done = on_marked,
                .items = check->items,
                .n_items = n,
                .now_usec = clock_realtime(),
        };
        index_damage(check->options.index, &check->damage);
        await_answer(check);
        return check->result;
}

int store_check_page(StoreCheck *check) {
        int r;

        clear_page(check);
        r = index_scan(check->options.index, "", check->cursor, PAGE_MAX, on_entry, check);
        if (r >= 0 && check->n > 0)
                r = ask_volume(check);
        if (r >= 0 && check->n > 0)
                r = mark_missing(check);
        if (r < 0)
                return r;

        memcpy(check->cursor, check->last, sizeof(check->cursor));
        return check->n_seen == PAGE_MAX;
}

void store_check_stop(StoreCheck *check) {
        (void) pthread_mutex_lock(&check->lock);
        check->is_stopping = true;
        if (check->call)
                rpc_call_cancel(check->call);
        (void) pthread_mutex_unlock(&check->lock);
}
