/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Load: decides what to do next. All threads share one; each brings its own random numbers. */

#include <stdatomic.h>

#include "bench/load/options.h"
#include "bench/load/random.h"
#include "core/key.h"

typedef enum OperationType {
        OPERATION_GET,
        OPERATION_PUT,
        OPERATION_DELETE,
        _OPERATION_TYPE_MAX,
} OperationType;

const char *operation_type_to_string(OperationType type) _const_;

typedef struct Operation {
        OperationType type;
        uint64_t number;     /* of the key */
        uint64_t generation; /* of the value to put */
        uint64_t size;       /* of the value to put */
        uint64_t start_usec; /* when it should begin */
} Operation;

typedef enum LoadPattern {
        LOAD_SEQUENTIAL,
        LOAD_RANDOM,
        LOAD_ZIPF,
        _LOAD_PATTERN_MAX,
} LoadPattern;

typedef struct Load {
        /* Set by load_init() from the options; the owner may change them before the start. */
        LoadPattern pattern;
        uint64_t keys;
        uint64_t count;        /* 0 for no limit */
        unsigned read_percent; /* the others are of type write */
        OperationType write;
        char base[KEY_PATH_SIZE]; /* what every path begins with */
        char *const *names;       /* encoded keys instead of numbered ones; not owned */
        char *const *targets;     /* where to request each key instead of its path; not owned */

        Sizes sizes;
        Zipf zipf;
        uint64_t rate;
        uint64_t duration_usec;
        uint64_t generation; /* of the first write; grows from run to run */

        uint64_t start_usec;
        _Atomic uint64_t sequence;
        atomic_bool stopped;
        _Atomic uint64_t *claims; /* a bit for each key, set during a write; NULL if not needed;
                                     owned */
} Load;

/* Returns 0, or -EINVAL, having said which option is wrong. */
int load_init(Load *load, const Options *options);
void load_done(Load *load);

/* From now on writes of the same key never overlap, so that the highest generation is the last
 * write. Returns 0 or -ENOMEM. There must be more keys than connections. */
int load_claim_keys(Load *load);

/* The clock starts. */
void load_start(Load *load, uint64_t now_usec);

/* No operation begins any more. Safe in a signal handler. */
void load_stop(Load *load);

/* Returns 0, -EAGAIN if nothing is due before RET_DUE_USEC (written only then), or -ENODATA at the
 * end. */
int load_next(Load *load,
              Random *random,
              uint64_t now_usec,
              Operation *ret,
              uint64_t *ret_due_usec);

/* To be called when an operation from load_next() is over. */
void load_finished(Load *load, const Operation *operation);

/* The path of a key: a slash and the encoded key. */
void load_path(const Load *load, uint64_t number, char ret_path[static KEY_PATH_SIZE]);
