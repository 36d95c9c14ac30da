/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log pages: which pages the log knows from their allocation on, so that a recovery rebuilds them,
 * whatever is in their places. Fed with the records that log_scan() passes on. */

#include "store/format/log-mark.h"

typedef struct LogPages LogPages;

int log_pages_new(LogPages **ret);
LogPages *log_pages_free(LogPages *pages);
DEFINE_CLEANUP(LogPages *, log_pages_free);

/* For LogScan; the userdata is the LogPages. */
void log_pages_note(LogPosition position, const void *data, size_t size, void *userdata);

/* All records are noted. Forgets what is from before NEEDED, where the recovery begins. Returns 0,
 * or -ENOMEM if not all could be noted. */
int log_pages_complete(LogPages *pages, LogPosition needed);

/* For page_files_recover(). */
bool log_pages_has(const char *name, uint32_t number, const void *userdata);
