/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables of jobs, as several verbs show them. */

#include "adm/view/job-view.h"
#include "frame/table.h"

/* All of them, a row each. */
int job_table_new(const JobsView *jobs, Table **ret);

/* One, with everything that is known, for a list. */
int job_table_new_detailed(const JobView *job, Table **ret);

/* Says that there is no such job. Returns -ENOENT. */
int job_complain_unknown(uint32_t id);
