/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>

#include "adm/machine/volume-names.h"

void volume_names_init(VolumeNames *names, uint32_t number) {
        (void) snprintf(names->socket, sizeof(names->socket), "dkv-volume@%" PRIu32 ".socket",
                        number);
        (void) snprintf(names->service, sizeof(names->service), "dkv-volume@%" PRIu32 ".service",
                        number);
        (void) snprintf(names->object, sizeof(names->object), MASTER_PATH "/volume/%" PRIu32,
                        number);
        (void) snprintf(names->bus_name, sizeof(names->bus_name), STORE_NAME_PREFIX "%" PRIu32,
                        number);

        /* The socket comes first, or a connection could start the service again. */
        names->units[0] = names->socket;
        names->units[1] = names->service;
        names->units[2] = NULL;
}
