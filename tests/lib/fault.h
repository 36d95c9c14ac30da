/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Faults at the boundary of the system calls.
 *
 * A test that names anything of this gets functions in the place of the C library's write, pwrite,
 * fsync, fdatasync, linkat, rename, renameat, renameat2, unlink, unlinkat, ftruncate and
 * fallocate, for its own code and for the libraries that it uses. They count, and the n-th of them
 * fails or is the last that the process does. An observer sees them, and what is opened. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

#ifdef __SANITIZE_ADDRESS__
#define FAULT_STRIDE 5
#else
#define FAULT_STRIDE 1
#endif

typedef enum FaultMode {
        FAULT_ERROR, /* -1 with EIO */
        FAULT_FULL,  /* -1 with ENOSPC */
        FAULT_DIE,   /* as by kill -9, before the call */
} FaultMode;

typedef struct FaultSweep {
        /* Works in the empty directory, and says what has become durable. In a child process. */
        void (*scene)(const char *directory);

        /* After that, whether or not the scene got to its end: dies (of a failed assertion, say) if
         * what was acknowledged is not there. In another child process. */
        void (*check)(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged);
} FaultSweep;

/* In a scene: adds a byte to what check() gets. */
void fault_acknowledge(uint8_t byte);

/* Runs the scene with a fault at the first call, then at the second and so on, until a run meets no
 * fault; with AddressSanitizer, where a process takes five times as long to begin and to end, at
 * every fifth call. Returns how many calls the scene makes, or 0 if check() has failed, which is
 * reported on stderr. */
unsigned fault_sweep(const FaultSweep *sweep, FaultMode mode);

typedef enum FaultCallKind {
        FAULT_CREATE,    /* a new file has this name; or none, for O_TMPFILE */
        FAULT_DIRECTORY, /* the same of a new directory */
        FAULT_WRITE,
        FAULT_TRUNCATE,
        FAULT_FLUSH, /* a file, or a directory */
        FAULT_LINK,  /* a file has this name, too */
        FAULT_RENAME,
        FAULT_UNLINK,
        FAULT_ACKNOWLEDGE, /* fault_acknowledge() was called with these data */
} FaultCallKind;

typedef struct FaultCall {
        FaultCallKind kind;
        uint64_t inode;
        const char *path;  /* of what is created, linked, unlinked; of what is renamed, before */
        const char *other; /* its name after that */
        const void *data;
        uint64_t size; /* of the data; or of the file, after FAULT_TRUNCATE */
        uint64_t offset;
} FaultCall;

/* From now on it is called after each call that succeeded, by one thread at a time. */
void fault_observe(void (*observer)(const FaultCall *call));
