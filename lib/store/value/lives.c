/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/value/lives.h"

/* A row of the named blobs for each. */
#define PREFIX    ".segment "
#define NAME_SIZE (sizeof(PREFIX) + DECIMAL_SIZE(uint32_t))

static void name_of(uint32_t segment, char ret[static NAME_SIZE]) {
        (void) snprintf(ret, NAME_SIZE, PREFIX "%010" PRIu32, segment);
}

void lives_init(Lives *lives) {
        *lives = (Lives){};
        (void) pthread_mutex_init(&lives->lock, NULL);
}

void lives_done(Lives *lives) {
        free(lives->items);
        free(lives->changes);
        (void) pthread_mutex_destroy(&lives->lock);
}

/* The first with this segment or a higher one. */
static size_t position_of(const Lives *lives, uint32_t segment) {
        size_t low = 0, high = lives->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (lives->items[middle].segment < segment)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low;
}

static void *grow(void *items, size_t item_size, size_t n, size_t *allocated) {
        size_t wanted = MAX(2 * n, (size_t) 16);

        if (n <= *allocated && items)
                return items;

        items = realloc(items, wanted * item_size);
        if (items)
                *allocated = wanted;
        return items;
}

/* Makes room for so many more, so that nothing can fail when they are committed. */
static int reserve(Lives *lives, size_t more) {
        Life *items;

        (void) pthread_mutex_lock(&lives->lock);
        items = grow(lives->items, sizeof(*items), lives->n + more, &lives->allocated);
        if (items)
                lives->items = items;
        (void) pthread_mutex_unlock(&lives->lock);

        return items ? 0 : -ENOMEM;
}

static uint64_t find(const Lives *lives, uint32_t segment) {
        size_t i = position_of(lives, segment);

        return i < lives->n && lives->items[i].segment == segment ? lives->items[i].live : 0;
}

/* There is room. With the lock. */
static void set(Lives *lives, uint32_t segment, uint64_t live) {
        size_t i = position_of(lives, segment);
        bool is_there = i < lives->n && lives->items[i].segment == segment;
        Life *item = lives->items + i;

        lives->total += live - (is_there ? item->live : 0);
        if (is_there && live > 0)
                item->live = live;
        else if (is_there) {
                lives->n--;
                memmove(item, item + 1, (lives->n - i) * sizeof(*item));
        } else if (live > 0) {
                memmove(item + 1, item, (lives->n - i) * sizeof(*item));
                *item = (Life){ segment, live };
                lives->n++;
        }
}

static int load_row(Lives *lives, const Cursor *cursor) {
        Reader reader = READER(cursor->value.data, cursor->value.size);
        char number[DECIMAL_SIZE(uint32_t)] = "";
        size_t size = cursor->key.size - strlen(PREFIX);
        uint64_t segment, live;
        int r;

        if (size >= sizeof(number))
                return -EBADMSG;
        memcpy(number, (const char *) cursor->key.data + strlen(PREFIX), size);
        if (parse_u64(number, UINT32_MAX, &segment) < 0)
                return -EBADMSG;

        live = reader_get_u64(&reader);
        r = reader_end(&reader);
        if (r < 0)
                return r;
        r = reserve(lives, 1);
        if (r < 0)
                return r;

        set(lives, (uint32_t) segment, live);
        return 0;
}

int lives_load(Lives *lives, Environment *environment) {
        Cursor cursor;
        int r;

        environment_read_lock(environment);
        r = cursor_open(environment, environment->state, &cursor);
        if (r >= 0) {
                r = cursor_seek(&cursor, PREFIX, strlen(PREFIX));
                while (r >= 0 && cursor.key.size > strlen(PREFIX) &&
                       memcmp(cursor.key.data, PREFIX, strlen(PREFIX)) == 0) {
                        r = load_row(lives, &cursor);
                        if (r >= 0)
                                r = cursor_next(&cursor);
                }
                cursor_close(&cursor);
        }
        environment_read_unlock(environment);

        return r == -ENOENT ? 0 : r;
}

static LifeChange *find_change(const Lives *lives, uint32_t segment) {
        for (size_t i = 0; i < lives->n_changes; i++)
                if (lives->changes[i].segment == segment)
                        return &lives->changes[i];
        return NULL;
}

int lives_add(Lives *lives, Transaction *transaction, uint32_t segment, int64_t n_bytes) {
        LifeChange *change = find_change(lives, segment), *changes;

        if (change) {
                change->n_bytes += n_bytes;
                return 0;
        }

        changes = grow(lives->changes, sizeof(*changes), lives->n_changes + 1,
                       &lives->n_changes_allocated);
        if (!changes || reserve(lives, lives->n_changes + 1) < 0)
                return transaction_fail(transaction, -ENOMEM);

        lives->changes = changes;
        changes[lives->n_changes++] = (LifeChange){ segment, n_bytes };
        return 0;
}

/* No row for a segment of which nothing is live. */
static int save(const LifeChange *change, uint64_t before, Transaction *transaction) {
        uint64_t live = before + (uint64_t) change->n_bytes;
        _cleanup_(buffer_done) Buffer row = {};
        char name[NAME_SIZE];

        name_of(change->segment, name);
        buffer_put_u64(&row, live);
        if (buffer_error(&row) < 0)
                return transaction_fail(transaction, buffer_error(&row));
        return transaction_set_state(transaction, name, live > 0 ? row.data : NULL, row.size);
}

int lives_save(Lives *lives, Transaction *transaction) {
        int r = 0;

        /* Nobody else changes what is committed. */
        for (size_t i = 0; i < lives->n_changes && r >= 0; i++)
                r = save(&lives->changes[i], find(lives, lives->changes[i].segment), transaction);
        return r;
}

void lives_ended(Lives *lives, bool committed) {
        if (lives->n_changes == 0)
                return;

        (void) pthread_mutex_lock(&lives->lock);
        for (size_t i = 0; i < lives->n_changes && committed; i++) {
                uint32_t segment = lives->changes[i].segment;

                set(lives, segment, find(lives, segment) + (uint64_t) lives->changes[i].n_bytes);
        }
        (void) pthread_mutex_unlock(&lives->lock);
        lives->n_changes = 0;
}

uint64_t lives_of(Lives *lives, uint32_t segment) {
        uint64_t live;

        (void) pthread_mutex_lock(&lives->lock);
        live = find(lives, segment);
        (void) pthread_mutex_unlock(&lives->lock);

        return live;
}

uint64_t lives_total(Lives *lives) {
        uint64_t total;

        (void) pthread_mutex_lock(&lives->lock);
        total = lives->total;
        (void) pthread_mutex_unlock(&lives->lock);

        return total;
}
