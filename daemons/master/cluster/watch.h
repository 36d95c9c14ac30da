/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watch: looks at the volumes four times a second, on the main loop. Logs which ones come and go,
 * tells an observer what has changed, and ends maintenance that is over. */

#include <systemd/sd-event.h>

#include "master/cluster/volumes.h"

typedef struct Watch Watch;

/* VOLUMES is not owned, and freed after the watch. What is known of them now is no news. */
int watch_new(Volumes *volumes, sd_event *event, Watch **ret);
Watch *watch_free(Watch *watch);
DEFINE_CLEANUP(Watch *, watch_free);

/* Called on the main loop, soon after a volume became known or its status changed in anything but
 * figures (disk_free to pending, seen_usec). There is one observer at most; NULL for none. */
typedef void (*WatchObserver)(uint32_t number, bool is_new, void *userdata);
void watch_set_observer(Watch *watch, WatchObserver on_change, void *userdata);
