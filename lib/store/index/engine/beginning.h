/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Beginning: how a member of a group begins to lead it. */

#include "store/index/engine/identity.h"
#include "store/index/engine/versions.h"

/* The first entry of a leader, and who is told what comes of it. */
typedef struct Beginning {
        Proposals *proposals; /* not owned, as the next two */
        Identity *identity;
        Versions *versions;

        IndexBeginTerm begin;
        IndexReserve reserve;
        IndexResult began;
        uint64_t leader;
        void (*done)(IndexResult result, void *userdata);
        void *userdata;
} Beginning;

/* As index_begin_to_lead(). */
int beginning_start(
                Beginning *beginning,
                uint64_t term,
                void (*done)(IndexResult result, void *userdata),
                void *userdata);
