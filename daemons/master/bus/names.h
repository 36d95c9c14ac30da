/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of the master on D-Bus; org.dkv.Master1(5) describes what is behind them. */

#define MASTER_BUS_NAME "org.dkv.Master1"

#define MASTER_BUS_PATH      "/org/dkv/Master1"
#define MASTER_BUS_INTERFACE "org.dkv.Master1.Manager"

/* Each volume and each job is an object below its path. */
#define VOLUMES_BUS_PATH      "/org/dkv/Master1/volume"
#define VOLUMES_BUS_INTERFACE "org.dkv.Master1.Volume"
#define JOBS_BUS_PATH         "/org/dkv/Master1/job"
#define JOBS_BUS_INTERFACE    "org.dkv.Master1.Job"

/* The polkit action that permits changes. */
#define MASTER_BUS_ACTION "org.dkv.manage-volumes"
