/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fuzz: what libFuzzer calls, and replay.c without it. Each target takes one kind of input from
 * outside, and asserts what has to hold whatever that is. */

#include "base/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its own with a 0 behind it: one byte read too many is one outside of the block. */
static inline char *fuzz_string(const uint8_t *data, size_t size) {
        char *string = malloc(size + 1);

        assert(string);
        for (size_t i = 0; i < size; i++)
                string[i] = (char) data[i];
        string[size] = '\0';
        return string;
}
