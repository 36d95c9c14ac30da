/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The settings of dkv-volume; volume.conf describes them, the table in conf.c decides. */

#include "base/conf.h"
#include "daemon/endpoint.h"
#include "daemon/program.h"

typedef struct VolumeConf {
        ConfOrigins origins;
        uint64_t number;
        char *directory;
        char *url;
        char *master;
        char *zone; /* the main loop's thread only */
        uint64_t inline_max;
        uint64_t cache_size;
        uint64_t checkpoint_size;
        uint64_t reserve_size;
        uint64_t report_usec;
        EndpointConf endpoint;
} VolumeConf;

extern const ConfItem volume_conf_items[];

/* Fills CONF, zeroed, and logs errors. What the settings leave open depends on the number:
 * directory, port and URL. The URL stays empty if Listen= is all addresses of the machine. */
int volume_conf_load(VolumeConf *conf, const ProgramArguments *arguments);

/* Fills in the URL if it is empty, with the address by which the master sees this machine. May
 * look up the master's name, and logs what is wrong. */
int volume_conf_find_url(VolumeConf *conf);
