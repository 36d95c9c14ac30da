/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumeNames: what belongs to a volume number: its units, and its objects on the bus. */

#include <stdint.h>

#include "adm/context/bus-names.h"
#include "base/macro.h"

typedef struct VolumeNames {
        char socket[sizeof("dkv-volume@.socket") + DECIMAL_SIZE(uint32_t)];
        char service[sizeof("dkv-volume@.service") + DECIMAL_SIZE(uint32_t)];
        char object[sizeof(MASTER_PATH "/volume/") + DECIMAL_SIZE(uint32_t)];
        char bus_name[sizeof(STORE_NAME_PREFIX) + DECIMAL_SIZE(uint32_t)];
        char *units[3]; /* both, and NULL */
} VolumeNames;

void volume_names_init(VolumeNames *names, uint32_t number);
