/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every file needs: ownership attributes, sizes, units of time. */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)          __attribute__((cleanup(f)))
#define _const_               __attribute__((const))
#define _pure_                __attribute__((pure))
#define _printf_(text, first) __attribute__((format(printf, text, first)))
#define _unused_              __attribute__((unused))
#define _noreturn_            __attribute__((noreturn))

#define ELEMENTSOF(array)                   (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)                           ((a) < (b) ? (a) : (b))
#define MAX(a, b)                           ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(pointer, type, member) ((type *) ((char *) (pointer) -offsetof(type, member)))

/* Room for a number of TYPE as decimal text, with its sign and the NUL. */
#define DECIMAL_SIZE(type) (3 * sizeof(type) + 2)

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* Times are uint64_t in microseconds unless a name says otherwise. */
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)

/* Gives the value away and leaves nothing in its place. */
#define TAKE_PTR(pointer) \
        ({ \
                typeof(pointer) _taken = (pointer); \
                (pointer) = NULL; \
                _taken; \
        })
#define TAKE_FD(fd) \
        ({ \
                int _taken = (fd); \
                (fd) = -1; \
                _taken; \
        })

/* Makes FREEp(), for _cleanup_(), out of FREE(), which takes NULL and returns NULL. */
#define DEFINE_CLEANUP(type, free_function) \
        static inline void free_function##p(type *pointer) { \
                (void) free_function(*pointer); \
        } \
        struct _##free_function##_wants_a_semicolon

static inline void freep(void *pointer) {
        free(*(void **) pointer);
}

/* Keeps errno, so that it may stand between a failed call and its report. */
static inline void closep(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                (void) close(*fd);
        *fd = -1;
        errno = saved;
}

#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
