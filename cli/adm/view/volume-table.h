/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables of volumes, as several verbs show them. */

#include "adm/context/context.h"
#include "adm/view/view.h"
#include "frame/table.h"

/* A row for each volume, as the master sees it; removed ones only WITH_REMOVED. */
typedef enum VolumeTableRows {
        VOLUME_TABLE_PRESENT,
        VOLUME_TABLE_WITH_REMOVED,
} VolumeTableRows;

/* Programs get all volumes, and so do people who say --all. */
VolumeTableRows volume_table_rows(const Context *context);

int volume_table_new(const View *view, VolumeTableRows rows, Table **ret);

/* One, with everything that is known, for a list. */
int volume_table_new_detailed(const VolumeView *volume, Table **ret);

/* Adds the cell that says whether the volume is up. Being down is bad except in maintenance; a
 * removed volume is neither. */
void volume_table_add_up(Table *table, const VolumeView *volume);

/* Those that are on the bus, as they see themselves. */
int store_table_new(const StoreView stores[], size_t n, Table **ret);
