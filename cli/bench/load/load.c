/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bench/load/load.h"
#include "frame/complaint.h"

#define PREFIX_MAX            (KEY_MAX - 20) /* leaves room for any number */
#define DURATION_DEFAULT_USEC (10 * USEC_PER_SEC)

static const char *const operation_names[_OPERATION_TYPE_MAX] = {
        [OPERATION_GET] = "get",
        [OPERATION_PUT] = "put",
        [OPERATION_DELETE] = "delete",
};

static const char *const pattern_names[_LOAD_PATTERN_MAX] = {
        [LOAD_SEQUENTIAL] = "sequential",
        [LOAD_RANDOM] = "random",
        [LOAD_ZIPF] = "zipf",
};

const char *operation_type_to_string(OperationType type) {
        return operation_names[type];
}

static int pattern_from_string(const char *name, LoadPattern *ret) {
        for (LoadPattern i = 0; i < _LOAD_PATTERN_MAX; i++)
                if (strcmp(pattern_names[i], name) == 0) {
                        *ret = i;
                        return 0;
                }

        return -EINVAL;
}

int load_init(Load *load, const Options *options) {
        bool limited = options->count > 0 || options->duration_usec > 0;
        int r;

        *load = (Load){
                .keys = options->keys,
                .count = options->count,
                .read_percent = (unsigned) options->read_percent,
                .write = OPERATION_PUT,
                .base = "/",
                .rate = options->rate,
                .duration_usec = limited ? options->duration_usec : DURATION_DEFAULT_USEC,
                .generation = clock_realtime() * 1000,
        };

        r = pattern_from_string(options->pattern, &load->pattern);
        if (r < 0)
                return complain(r, "Unknown pattern '%s'.", options->pattern);

        r = sizes_parse(options->size, &load->sizes);
        if (r < 0)
                return complain(-EINVAL, "Invalid sizes '%s'.", options->size);

        if (strlen(options->prefix) > PREFIX_MAX)
                return complain(-EINVAL, "The prefix is too long.");
        if (options->prefix[0] != '\0')
                (void) key_to_path(options->prefix, load->base);

        zipf_init(&load->zipf, load->keys);
        return 0;
}

void load_done(Load *load) {
        free((void *) load->claims);
        load->claims = NULL;
}

int load_claim_keys(Load *load) {
        load->claims = calloc(load->keys / 64 + 1, sizeof(*load->claims));
        return load->claims ? 0 : -ENOMEM;
}

void load_start(Load *load, uint64_t now_usec) {
        load->start_usec = now_usec;
}

void load_stop(Load *load) {
        atomic_store(&load->stopped, true);
}

/* Takes the next number of the series, if its time has come. */
static int take_sequence(
                Load *load, uint64_t now, uint64_t *ret, uint64_t *ret_start, uint64_t *ret_due) {
        uint64_t sequence = atomic_load_explicit(&load->sequence, memory_order_relaxed), due = now;

        if (atomic_load_explicit(&load->stopped, memory_order_relaxed))
                return -ENODATA;
        if (load->duration_usec > 0 && now - load->start_usec >= load->duration_usec)
                return -ENODATA;

        do {
                if (load->count > 0 && sequence >= load->count)
                        return -ENODATA;
                if (load->rate > 0)
                        due = load->start_usec + sequence * USEC_PER_SEC / load->rate;
                if (due > now) {
                        *ret_due = due;
                        return -EAGAIN;
                }
        } while (!atomic_compare_exchange_weak(&load->sequence, &sequence, sequence + 1));

        *ret = sequence;
        *ret_start = due;
        return 0;
}

static uint64_t draw_key(const Load *load, Random *random, uint64_t sequence) {
        switch (load->pattern) {
        case LOAD_RANDOM:
                return random_below(random, load->keys);
        case LOAD_ZIPF:
                return zipf_draw(&load->zipf, random);
        default:
                return sequence % load->keys;
        }
}

/* Returns NUMBER or, if that is being written, the next one that is not. */
static uint64_t claim(Load *load, uint64_t number) {
        for (;; number = (number + 1) % load->keys) {
                uint64_t bit = UINT64_C(1) << (number % 64);

                if (!(atomic_fetch_or(&load->claims[number / 64], bit) & bit))
                        return number;
        }
}

int load_next(Load *load,
              Random *random,
              uint64_t now_usec,
              Operation *ret,
              uint64_t *ret_due_usec) {
        uint64_t sequence, start, number;
        OperationType type = load->write;
        int r;

        r = take_sequence(load, now_usec, &sequence, &start, ret_due_usec);
        if (r < 0)
                return r;

        if (load->read_percent > 0 && random_below(random, 100) < load->read_percent)
                type = OPERATION_GET;

        number = draw_key(load, random, sequence);
        if (load->claims && type != OPERATION_GET)
                number = claim(load, number);

        *ret = (Operation){
                .type = type,
                .number = number,
                .generation = load->generation + sequence,
                .size = type == OPERATION_PUT ? sizes_draw(&load->sizes, random) : 0,
                .start_usec = start,
        };
        return 0;
}

void load_finished(Load *load, const Operation *operation) {
        uint64_t bit = UINT64_C(1) << (operation->number % 64);

        if (load->claims && operation->type != OPERATION_GET)
                (void) atomic_fetch_and(&load->claims[operation->number / 64], ~bit);
}

void load_path(const Load *load, uint64_t number, char ret_path[static KEY_PATH_SIZE]) {
        char digits[20], *p = digits + sizeof(digits);
        size_t n;

        if (load->names) {
                n = strlen(load->names[number]);
                assert(1 + n < KEY_PATH_SIZE);
                ret_path[0] = '/';
                memcpy(ret_path + 1, load->names[number], n + 1);
                return;
        }

        do
                *--p = (char) ('0' + number % 10);
        while ((number /= 10) > 0);

        n = strlen(load->base);
        memcpy(ret_path, load->base, n);
        memcpy(ret_path + n, p, (size_t) (digits + sizeof(digits) - p));
        ret_path[n + (size_t) (digits + sizeof(digits) - p)] = '\0';
}
