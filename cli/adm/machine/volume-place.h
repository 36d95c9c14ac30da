/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumePlace: where a new volume of this machine finds its master, and where it is found itself,
 * unless that is said. The master of this machine is asked, or else the settings of the other
 * volumes of this machine are looked at. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct VolumePlace {
        char *master; /* owned; NULL to leave it to the default, http://127.0.0.1:3000 */
        char *listen; /* owned; NULL to leave it to the default, 127.0.0.1:3000+N */
        bool is_here; /* the master is on this machine's bus */
} VolumePlace;

void volume_place_done(VolumePlace *place);

/* Decides for volume NUMBER. LISTEN and MASTER are what was given by --listen and --master, or
 * NULL. BUS is NULL if no daemon may be asked, as with --root. Returns 0, EXIT_USAGE or a negative
 * errno, having said what is wrong. */
int volume_place_find(
                sd_bus *bus,
                uint32_t number,
                const char *listen,
                const char *master,
                VolumePlace *ret);
