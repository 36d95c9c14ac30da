/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>

#include "store/index/memory/dead.h"

#define SLOTS_MIN 1024

/* What is kept of the changes of a transaction that was large. */
#define CHANGES_MAX 8192

void dead_done(Dead *dead) {
        free(dead->slots);
        free(dead->changes);
        *dead = (Dead){};
}

/* The number of slots is a power of two; versions come in runs, which this spreads. */
static size_t home_of(const Dead *dead, uint64_t version) {
        return (size_t) ((version * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (dead->n_slots - 1);
}

static size_t next_slot(const Dead *dead, size_t slot) {
        return (slot + 1) & (dead->n_slots - 1);
}

/* Returns the slot of the version, or the empty one where it belongs. */
static DeadVersion *find_slot(const Dead *dead, uint64_t version) {
        size_t slot = home_of(dead, version);

        while (dead->slots[slot].version != 0 && dead->slots[slot].version != version)
                slot = next_slot(dead, slot);

        return &dead->slots[slot];
}

bool dead_contains(const Dead *dead, uint64_t version) {
        return dead->n > 0 && find_slot(dead, version)->version == version;
}

static int resize(Dead *dead, size_t n_slots) {
        Dead resized = { .n_slots = n_slots };

        resized.slots = calloc(n_slots, sizeof(*resized.slots));
        if (!resized.slots)
                return -ENOMEM;

        for (size_t i = 0; i < dead->n_slots; i++)
                if (dead->slots[i].version != 0)
                        *find_slot(&resized, dead->slots[i].version) = dead->slots[i];

        free(dead->slots);
        dead->slots = resized.slots;
        dead->n_slots = n_slots;
        return 0;
}

/* There is a free slot. */
static void count_up(Dead *dead, uint64_t version) {
        DeadVersion *slot = find_slot(dead, version);

        if (slot->version == 0)
                dead->n++;
        slot->version = version;
        slot->n_entries++;
}

/* Empties a slot, and closes the gap for those that did not find their own place free. */
static void empty_slot(Dead *dead, size_t gap) {
        for (size_t slot = next_slot(dead, gap); dead->slots[slot].version != 0;
             slot = next_slot(dead, slot)) {
                size_t home = home_of(dead, dead->slots[slot].version);
                size_t distance = (slot - home) & (dead->n_slots - 1);

                if (distance < ((slot - gap) & (dead->n_slots - 1)))
                        continue; /* it would come before its home */
                dead->slots[gap] = dead->slots[slot];
                gap = slot;
        }

        dead->slots[gap] = (DeadVersion){};
        dead->n--;
}

static void count_down(Dead *dead, uint64_t version) {
        DeadVersion *slot = find_slot(dead, version);

        assert(slot->version == version);

        if (--slot->n_entries == 0)
                empty_slot(dead, (size_t) (slot - dead->slots));
}

static int note(Dead *dead, uint64_t version, bool is_new) {
        if (dead->n_changes == dead->n_changes_allocated) {
                size_t allocated = MAX(dead->n_changes_allocated * 2, (size_t) 64);
                DeadChange *changes = realloc(dead->changes, allocated * sizeof(*changes));

                if (!changes)
                        return -ENOMEM;
                dead->changes = changes;
                dead->n_changes_allocated = allocated;
        }

        dead->changes[dead->n_changes++] = (DeadChange){ version, is_new };
        return 0;
}

int dead_add(Dead *dead, uint64_t version) {
        int r;

        assert(version != 0);

        if (dead->n >= dead->n_slots / 4 * 3) {
                r = resize(dead, MAX(dead->n_slots * 2, (size_t) SLOTS_MIN));
                if (r < 0)
                        return r;
        }
        r = note(dead, version, true);
        if (r < 0)
                return r;

        count_up(dead, version);
        return 0;
}

int dead_remove(Dead *dead, uint64_t version) {
        int r;

        r = note(dead, version, false);
        if (r < 0)
                return r;

        count_down(dead, version);
        return 0;
}

static void end_transaction(Dead *dead) {
        dead->n_changes = 0;
        if (dead->n_changes_allocated > CHANGES_MAX) {
                free(dead->changes);
                dead->changes = NULL;
                dead->n_changes_allocated = 0;
        }
}

void dead_keep(Dead *dead) {
        end_transaction(dead);

        /* Without memory it stays as large as it is. */
        if (dead->n_slots > SLOTS_MIN && dead->n < dead->n_slots / 8)
                (void) resize(dead, dead->n_slots / 2);
}

/* Backwards, so that what was there fits again: slots grow only. */
void dead_undo(Dead *dead) {
        while (dead->n_changes > 0) {
                const DeadChange *change = &dead->changes[--dead->n_changes];

                if (change->is_new)
                        count_down(dead, change->version);
                else
                        count_up(dead, change->version);
        }
        end_transaction(dead);
}
