/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Value: bytes that follow from the key, so that a reader can check each of them, in pieces of any
 * size and without keeping the value.
 *
 * A value of VALUE_HEAD_SIZE bytes or more begins with its generation and its size (two
 * little-endian u64; the size is masked with key and generation, so that damage to the head shows
 * in it); the rest is a stream that depends on key and generation. So a reader need not know which
 * of several writers was the last, and a mix of two generations shows. A shorter value is the start
 * of a stream that depends on the key alone. */

#include "base/macro.h"

#define VALUE_HEAD_SIZE 16

typedef struct Value {
        uint64_t generation;
        uint64_t size;
        uint64_t seed;
} Value;

/* KEY is a hash of the key, as key_hash() makes it. */
Value value_make(uint64_t key, uint64_t generation, uint64_t size) _const_;

/* Writes the SIZE bytes at OFFSET, all of them within the value. */
void value_fill(const Value *value, uint64_t offset, void *ret, size_t size);

/* A value that arrives piece by piece. */
typedef struct ValueCheck {
        uint64_t key;
        uint64_t offset;
        Value value; /* once the head is complete */
        uint8_t head[VALUE_HEAD_SIZE];
        bool wrong;
} ValueCheck;

void value_check_begin(ValueCheck *check, uint64_t key);
void value_check_update(ValueCheck *check, const void *data, size_t size);

/* To be called at the end of the value. Returns 0, or -EBADMSG if any byte or the size is wrong. */
int value_check_end(ValueCheck *check);

/* What a correct value said about itself; 0 for one without a head. */
uint64_t value_check_generation(const ValueCheck *check) _pure_;
