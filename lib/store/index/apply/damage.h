/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage as a table: which copies that records name are known to be bad. See store/index/damage.h.
 */

#include "core/damage.h"
#include "store/index/apply/tables.h"
#include "store/index/damage.h"

/* Big-endian, so that the order of the bytes is that of the numbers. */
typedef struct __attribute__((packed)) DamageKey {
        uint64_t version;
        uint32_t volume;
} DamageKey;

typedef struct DamageRow {
        DamageKind kind;
        uint8_t n_copies;
        uint64_t since_usec;
        const char *key; /* points into what it was decoded from */
} DamageRow;

DamageKey damage_key(uint64_t version, uint32_t volume);

/* Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int damage_decode(const void *data, size_t size, DamageRow *ret);

/* Reads the table into memory. Returns 0 or a negative errno. */
int damage_load(Tables *tables);

/* Takes the mark of a copy away, if it has one. */
int damage_clear(Transaction *transaction, uint64_t version, uint32_t volume);

/* Makes the marks of a version fit its record, whose number of copies has changed. */
int damage_update(Transaction *transaction, const Record *record);

int apply_damage(IndexRequest *request, Transaction *transaction);
