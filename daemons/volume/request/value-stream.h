/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Value stream: a value from a file, or a part of it, on its way to a client, verified block by
 * block. A block that turns out to be damaged is reported to the master, and ends the connection
 * before anything of it is sent. */

#include "http/request.h"
#include "store/object/objects.h"
#include "volume/upkeep/damage.h"

typedef struct ValueStream {
        Damage *damage;       /* not owned */
        const Object *object; /* likewise */
        int fd;               /* owned; -1 once it is taken */
        bool is_verified;     /* the whole value was, a moment ago */
        int error;            /* what open() returned */
} ValueStream;

/* For HttpValue.open, with a ValueStream as USERDATA. Returns 0; -EINPROGRESS if the whole value
 * has to be verified first, by somebody who may block; or what is wrong with the first block. */
int value_stream_open(void *userdata, uint64_t offset, uint64_t size, HttpStream *ret);
