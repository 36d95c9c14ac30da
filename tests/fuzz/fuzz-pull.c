/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/call/wire.h"
#include "core/key.h"
#include "fuzz.h"

/* What can be read can be written, and then is the same again: no field is lost. */
static void check_again(const WirePull *pull, const WirePullItem *items) {
        _cleanup_(buffer_done) Buffer buffer = {};
        static WirePull again;
        Reader reader;

        wire_put_pull(&buffer, pull);
        for (size_t i = 0; i < pull->n_items; i++)
                wire_put_pull_item(&buffer, items + i);
        assert(buffer_error(&buffer) == 0);

        reader = READER(buffer.data, buffer.size);
        assert(wire_get_pull(&reader, &again) == 0);
        assert(again.deadline_usec == pull->deadline_usec && again.n_items == pull->n_items);
        assert(again.n_sources == pull->n_sources);
        for (size_t i = 0; i < pull->n_sources; i++)
                assert(strcmp(again.sources[i].url, pull->sources[i].url) == 0 &&
                       store_identity_equal(&again.sources[i].store, &pull->sources[i].store));
        for (size_t i = 0; i < pull->n_items; i++) {
                WirePullItem item;

                assert(wire_get_pull_item(&reader, again.n_sources, &item) == 0);
                assert(item.version == items[i].version && item.size == items[i].size);
                assert(item.source == items[i].source && item.replace == items[i].replace);
                assert(strcmp(item.key, items[i].key) == 0);
        }
        assert(reader_end(&reader) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static WirePullItem items[WIRE_PULL_MAX];
        static WirePull pull;
        Reader reader = READER(data, size);

        if (wire_get_pull(&reader, &pull) < 0)
                return 0;

        assert(pull.n_sources >= 1 && pull.n_sources <= WIRE_PULL_MAX);
        assert(pull.n_items <= WIRE_PULL_MAX);
        for (size_t i = 0; i < pull.n_sources; i++)
                assert(strlen(pull.sources[i].url) >= 1 &&
                       strlen(pull.sources[i].url) <= WIRE_URL_MAX);
        for (size_t i = 0; i < pull.n_items; i++) {
                if (wire_get_pull_item(&reader, pull.n_sources, items + i) < 0)
                        return 0;
                assert(items[i].source < pull.n_sources);
                assert(strlen(items[i].key) >= 1 && strlen(items[i].key) <= KEY_MAX);
        }
        check_again(&pull, items);
        return 0;
}
