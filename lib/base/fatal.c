/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>

#include "base/fatal.h"

static _Atomic(FatalHandler) fatal_handler;

void fatal_set_handler(FatalHandler handler) {
        atomic_store(&fatal_handler, handler);
}

void fatal(const char *what, int error) {
        FatalHandler handler = atomic_load(&fatal_handler);

        assert(handler);
        handler(what, error);
}
