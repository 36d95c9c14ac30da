/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The settings of dkv-master; master.conf describes them, the table in conf.c decides. What is
 * atomic may change at any time: code that needs it twice reads it once. */

#include <stdatomic.h>

#include "base/conf.h"
#include "daemon/endpoint.h"
#include "daemon/program.h"

typedef struct MasterConf {
        ConfOrigins origins;
        char *directory;
        _Atomic uint64_t copies;
        bool auto_add_volumes;
        _Atomic bool proxy;
        _Atomic uint64_t value_size_max;
        _Atomic uint64_t grace_usec;
        _Atomic uint64_t ticket_usec;
        uint64_t volume_timeout_usec;
        uint64_t cache_size; /* 0: by the machine's memory */
        uint64_t checkpoint_size;
        uint64_t reserve_size;
        EndpointConf endpoint;
} MasterConf;

extern const ConfItem master_conf_items[];

/* Fills CONF, zeroed, and logs errors. */
int master_conf_load(MasterConf *conf, const ProgramArguments *arguments);
