/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of the daemons on the bus. */

#define MASTER_NAME             "org.dkv.Master1"
#define MASTER_PATH             "/org/dkv/Master1"
#define MASTER_INTERFACE        "org.dkv.Master1.Manager"
#define MASTER_VOLUME_INTERFACE "org.dkv.Master1.Volume"
#define MASTER_JOB_PATH         "/org/dkv/Master1/job"
#define MASTER_JOB_INTERFACE    "org.dkv.Master1.Job"
#define STORE_NAME_PREFIX       "org.dkv.Volume1.i"
#define STORE_PATH              "/org/dkv/Volume1"
#define STORE_INTERFACE         "org.dkv.Volume1.Store"
