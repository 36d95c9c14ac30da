/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumeNames: what belongs to a volume, by its number: units, and the objects of master and volume
 * on the bus. */

#include <stdint.h>

#include "adm/context/bus-names.h"

typedef struct VolumeNames {
        char socket[sizeof("dkv-volume@.socket") + 10];
        char service[sizeof("dkv-volume@.service") + 10];
        char object[sizeof(MASTER_PATH "/volume/") + 10];
        char bus_name[sizeof(STORE_NAME_PREFIX) + 10];
        char *units[3]; /* both, and NULL */
} VolumeNames;

void volume_names_init(VolumeNames *names, uint32_t number);
