/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumePlace: the address of the master of a new volume, and its own address, as far as the
 * command line does not give them. They follow from the master on this machine, or else from the
 * settings of its other volumes. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct VolumePlace {
        char *master; /* owned; NULL to leave it to the default, http://127.0.0.1:3000 */
        char *listen; /* owned; NULL to leave it to the default, 127.0.0.1:3000+N */
        bool is_here; /* the master is on this machine's bus */
} VolumePlace;

void volume_place_done(VolumePlace *place);

/* Decides for volume NUMBER. LISTEN and MASTER are the values of --listen and --master, or NULL.
 * BUS is NULL if daemons must not be asked, as with --root. Returns 0, EXIT_USAGE or a negative
 * errno, having said what is wrong. */
int volume_place_find(
                sd_bus *bus,
                uint32_t number,
                const char *listen,
                const char *master,
                VolumePlace *ret);
