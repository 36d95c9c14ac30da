/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The settings of dkv-volume; volume.conf describes them, the table in conf.c decides. */

#include "base/conf.h"

typedef struct VolumeConf {
        uint64_t number;
        char *directory;
        char *listen;
        char *url;
        char *master;
        char *zone;
        char *secret_file;
        uint64_t inline_max;
        uint64_t cache_size;
        uint64_t checkpoint_size;
        uint64_t reserve_size;
        uint64_t report_usec;
        uint64_t threads;
        uint64_t connections_max;
        uint64_t header_size_max;
        uint64_t timeout_usec;
        uint64_t stop_usec;
} VolumeConf;

extern const ConfItem volume_conf_items[];

/* Loads PATH (NULL for the place that belongs to the number) and what it leaves open from the
 * number: directory, port and URL. Errors are logged. Returns 0 or a negative errno. */
int volume_conf_load(VolumeConf *conf, uint64_t number, const char *path, char *const set[]);
