/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "master/seat/backlog.h"

void backlog_init(Backlog *backlog) {
        *backlog = (Backlog){ .tail = &backlog->first };
}

void backlog_done(Backlog *backlog) {
        while (backlog->first)
                backlog_drop(backlog);
}

int backlog_put(Backlog *backlog, uint64_t index, const Entry *entry, void *proposal) {
        Waiting *waiting = malloc(sizeof(*waiting) + entry->size);

        if (!waiting)
                return -ENOMEM;

        *waiting = (Waiting){ .index = index, .entry = *entry, .proposal = proposal };
        waiting->entry.data = waiting->data;
        if (entry->size > 0)
                memcpy(waiting->data, entry->data, entry->size);
        *backlog->tail = waiting;
        backlog->tail = &waiting->next;
        backlog->size += entry->size;
        return 0;
}

void backlog_drop(Backlog *backlog) {
        Waiting *waiting = backlog->first;

        backlog->first = waiting->next;
        if (!backlog->first)
                backlog->tail = &backlog->first;
        backlog->size -= waiting->entry.size;
        free(waiting);
}
