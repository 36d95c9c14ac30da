/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage: what can be wrong with a copy that a volume should have. */

#include "base/macro.h"

typedef enum DamageKind {
        DAMAGE_NONE,
        DAMAGE_CORRUPT,    /* it is there, but is not what was stored */
        DAMAGE_MISSING,    /* it is not there, or its file is not */
        DAMAGE_UNREADABLE, /* the disk does not give it out */
        _DAMAGE_KIND_MAX,
} DamageKind;

/* As in a sentence: "is damaged", "is missing", "cannot be read". */
const char *damage_kind_to_sentence(DamageKind kind) _const_;

/* One word: "damaged", "missing", "unreadable"; "none". */
const char *damage_kind_to_string(DamageKind kind) _const_;

/* Returns what a failure to read a copy says about the copy. DAMAGE_NONE if it says nothing, since
 * the daemon lacked memory or descriptors, was interrupted, or is stopping. */
DamageKind damage_kind_of_error(int error) _const_;
