/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "loop/loops.h"

struct Loops {
        size_t n;
        Loop *loops[];
};

int loops_new(size_t n, Loops **ret) {
        _cleanup_(loops_freep) Loops *loops = NULL;
        int r;

        assert(ret);

        if (n == 0)
                n = (size_t) MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
        loops = calloc(1, sizeof(*loops) + n * sizeof(*loops->loops));
        if (!loops)
                return -ENOMEM;

        while (loops->n < n) {
                r = loop_new(loops->loops + loops->n);
                if (r < 0)
                        return r;
                r = loop_start(loops->loops[loops->n++]);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(loops);
        return 0;
}

Loops *loops_free(Loops *loops) {
        if (!loops)
                return NULL;

        /* One may wake another until all of them have stopped. */
        for (size_t i = 0; i < loops->n; i++)
                loop_stop(loops->loops[i]);
        for (size_t i = 0; i < loops->n; i++)
                (void) loop_free(loops->loops[i]);
        free(loops);
        return NULL;
}

size_t loops_count(const Loops *loops) {
        return loops->n;
}

Loop *loops_get(const Loops *loops, size_t i) {
        assert(i < loops->n);

        return loops->loops[i];
}

size_t loops_here(const Loops *loops) {
        const Loop *current = loop_current();

        for (size_t i = 0; current && i < loops->n; i++)
                if (loops->loops[i] == current)
                        return i;
        return 0;
}
