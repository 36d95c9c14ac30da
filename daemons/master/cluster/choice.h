/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Choice: which volumes get a new value, which one is read, and who is known not to reach whom.
 * From any thread. */

#include "core/record.h"
#include "master/cluster/volumes.h"

/* Picks up to COPIES volumes for a new value of SIZE bytes (0 if unknown): of those to which calls
 * get through, and only if these are no majority, of all that are up. Returns how many, -EHOSTDOWN
 * if no active volume is up, -ENOSPC if none of them has room. */
int volumes_place(
                Volumes *volumes,
                uint64_t hash,
                size_t copies,
                uint64_t size,
                uint32_t ret[static COPIES_MAX]);

/* Picks another volume for such a value, besides the N that were tried. Returns its number, or as
 * above. */
int volumes_place_another(
                Volumes *volumes, uint64_t hash, uint64_t size, const uint32_t tried[], size_t n);

/* Chooses one of a record's copies on a volume that is up. It prefers copies that AVOID does not
 * name (bit I stands for copies[I]), and volumes to which calls get through. Returns the volume's
 * number, or -EHOSTDOWN. */
int volumes_choose(
                Volumes *volumes,
                const Record *record,
                unsigned avoid,
                char ret_url[static VOLUME_URL_SIZE]);

/* Whether there is a volume at AUTHORITY ("host:port") that is up and answers the master. */
bool volumes_answers_at(Volumes *volumes, const char *authority);

/* Whether FROM says that it cannot reach TO. */
bool volumes_is_cut(Volumes *volumes, uint32_t from, uint32_t to);
