/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/call/calls.h"

#define CALL_ENTRY(name, path_, caller_, receiver_, body, answer, timeout) \
        [CALL_##name] = { \
                .path = path_, \
                .caller = CALL_ROLE_##caller_, \
                .receiver = CALL_ROLE_##receiver_, \
                .body_max = body, \
                .answer_max = answer, \
                .timeout_usec = timeout, \
        },

const CallType call_types[_CALL_MAX] = { CALLS(CALL_ENTRY) };

const CallType *call_find(const char *path) {
        for (size_t i = 0; i < ELEMENTSOF(call_types); i++)
                if (*path && strcmp(call_types[i].path, path) == 0)
                        return call_types + i;

        return NULL;
}
