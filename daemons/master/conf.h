/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The settings of dkv-master; master.conf describes them, the table in conf.c decides. */

#include "base/conf.h"

typedef struct MasterConf {
        char *directory;
        char *listen;
        char *secret_file;
        uint64_t copies;
        bool auto_add_volumes;
        bool proxy;
        uint64_t value_size_max;
        uint64_t grace_usec;
        uint64_t ticket_usec;
        uint64_t volume_timeout_usec;
        uint64_t cache_size; /* 0: by the machine's memory */
        uint64_t checkpoint_size;
        uint64_t reserve_size;
        uint64_t threads;
        uint64_t connections_max;
        uint64_t header_size_max;
        uint64_t timeout_usec;
        uint64_t stop_usec;
} MasterConf;

extern const ConfItem master_conf_items[];

/* Loads PATH (NULL for /etc/dkv/master.conf), then SET ("NAME=VALUE", NULL-terminated). Errors are
 * logged. Returns 0 or a negative errno. */
int master_conf_load(MasterConf *conf, const char *path, char *const set[]);
