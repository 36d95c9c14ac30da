/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <limits.h>

#include "base/event-ids.h"
#include "base/log.h"
#include "daemon/store-log.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"

/* How many damaged pages are named; more names would tell nothing new. */
#define DAMAGED_PAGES_MAX 16

int store_log_failure(const char *what, const char *directory, int error) {
        if (error == -ENOMEDIUM) {
                log_event(LOG_CRIT, EVENT_STORE_INCOMPLETE, NULL,
                          "'%s' is missing in '%s', and belongs to this %s: is its disk mounted? "
                          "It was not opened, nothing was changed.",
                          members_missing(), directory, what);
                return error;
        }
        if (error == -EBADMSG && *disk_last_damage())
                log_event(LOG_CRIT, EVENT_STORE_DAMAGED, NULL,
                          "The %s in '%s' is damaged and was not opened, nothing was changed: %s",
                          what, directory, disk_last_damage());
        return log_error_errno(error, "Failed to open the %s in '%s': %m", what, directory);
}

void store_log_opened(const char *what, const Environment *environment) {
        unsigned repaired = environment_repaired_pages(environment);
        char page[PATH_MAX + 64];

        if (environment_was_recovered(environment))
                log_event(LOG_NOTICE, EVENT_RECOVERED, NULL,
                          "The %s was not closed by the last run and was recovered.", what);
        if (repaired > 0)
                log_notice("%u pages of the databases were torn or damaged and were put right.",
                           repaired);
        for (unsigned i = 0;
             i < DAMAGED_PAGES_MAX && environment_damaged_page(environment, i, page, sizeof(page));
             i++)
                log_event(LOG_ERR, EVENT_CORRUPTION_FOUND, NULL,
                          "The database is damaged: %s cannot be read, nor what is in it.", page);
}
