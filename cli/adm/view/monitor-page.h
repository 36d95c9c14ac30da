/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The page that "monitor" shows: how the cluster is, what it does, and how its volumes are. */

#include "adm/view/rates.h"
#include "frame/table.h"

#define HISTORY_MAX 60

typedef struct MonitorPage {
        const View *view;            /* not owned; NULL if the last question had no answer */
        const View *previous;        /* not owned; or NULL */
        const char *reason, *advice; /* without a view: why, and what to do */
        const double *history;       /* requests a second, oldest first */
        size_t n_history;
        TableLook look;
        unsigned lines;
} MonitorPage;

/* Returns a new string or NULL; the last line belongs at the bottom of the screen. */
char *monitor_page_format(const MonitorPage *page);

/* The same without a terminal: as one line, and as an object for JSON. */
char *monitor_line_format(const MonitorPage *page);
Json *monitor_page_to_json(const MonitorPage *page);
