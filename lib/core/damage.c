/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "core/damage.h"

typedef struct KindNames {
        const char *word, *sentence;
} KindNames;

static const KindNames names[_DAMAGE_KIND_MAX] = {
        [DAMAGE_NONE] = { "none", "is good" },
        [DAMAGE_CORRUPT] = { "damaged", "is damaged" },
        [DAMAGE_MISSING] = { "missing", "is missing" },
        [DAMAGE_UNREADABLE] = { "unreadable", "cannot be read" },
};

const char *damage_kind_to_sentence(DamageKind kind) {
        assert(kind >= 0 && kind < _DAMAGE_KIND_MAX);

        return names[kind].sentence;
}

const char *damage_kind_to_string(DamageKind kind) {
        assert(kind >= 0 && kind < _DAMAGE_KIND_MAX);

        return names[kind].word;
}

DamageKind damage_kind_of_error(int error) {
        switch (error < 0 ? -error : error) {
        case 0:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EINTR:
        case EAGAIN:
        case ESHUTDOWN:
                return DAMAGE_NONE;
        case EBADMSG:
        case EPROTONOSUPPORT:
                return DAMAGE_CORRUPT;
        case ENOENT:
        case ENODATA:
                return DAMAGE_MISSING;
        default:
                return DAMAGE_UNREADABLE;
        }
}
