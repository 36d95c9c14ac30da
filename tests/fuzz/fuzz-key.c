/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/key.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *path = fuzz_string(data, size);
        char key[KEY_MAX + 1], again[KEY_MAX + 1], encoded[KEY_PATH_SIZE], few[8];
        int n, length;

        n = percent_decode(path, size, few, sizeof(few));
        if (n >= 0)
                assert(strlen(few) == (size_t) n);

        length = key_from_path(path, key);
        if (length < 0)
                return 0;

        assert(length > 0 && strlen(key) == (size_t) length);
        assert(strncmp(key, "-/", 2) != 0);
        assert(key_to_path(key, encoded) == strlen(encoded));
        assert(key_from_path(encoded, again) == length);
        assert(strcmp(key, again) == 0);
        assert(key_hash(key) == key_hash(again));
        key_table(key, again);
        assert(strlen(again) <= KEY_MAX);
        assert(!key_has_dots(key) || strchr(key, '.'));
        return 0;
}
