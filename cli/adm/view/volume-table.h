/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables of volumes, as several verbs show them. */

#include "adm/context/context.h"
#include "adm/view/view.h"
#include "frame/table.h"

/* A row for each, as the master sees them; those that were removed only if they are WITH_REMOVED.
 */
typedef enum VolumeTableRows {
        VOLUME_TABLE_PRESENT,
        VOLUME_TABLE_WITH_REMOVED,
} VolumeTableRows;

/* Programs get all volumes, and so do people who say --all. */
VolumeTableRows volume_table_rows(const Context *context);

int volume_table_new(const View *view, VolumeTableRows rows, Table **ret);

/* One, with everything that is known, for a list. */
int volume_table_new_detailed(const VolumeView *volume, Table **ret);

/* The cell that says whether it is up. Down is bad, unless somebody said that it would be; a
 * removed volume is neither. */
void volume_table_add_up(Table *table, const VolumeView *volume);

/* Those that are on the bus, as they see themselves. */
int store_table_new(const StoreView stores[], size_t n, Table **ret);
