/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The jobs on the master's D-Bus: /org/dkv/Master1/job/N, interface org.dkv.Master1.Job; see
 * org.dkv.Master1(5).
 *
 * Figures change all the time: the changes of a job are announced twice a second at most. What a
 * program reads is up to date. */

#include "master/bus/manager.h"

#define JOB_BUS_PATH      "/org/dkv/Master1/job"
#define JOB_BUS_INTERFACE "org.dkv.Master1.Job"

extern const sd_bus_vtable job_bus_vtable[];

/* For the table of objects. */
int job_bus_find(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_object,
                sd_bus_error *error);
int job_bus_enumerate(
                sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_paths,
                sd_bus_error *error);

/* Makes the family, with the jobs of earlier runs, and observes the master's jobs. */
int job_bus_start(MasterBus *bus);

/* Observes no longer. */
void job_bus_stop(MasterBus *bus);

/* Announces a job that has just been started, ahead of the reply that names it. */
void job_bus_add(MasterBus *bus, uint32_t id);

/* Writes "/" for 0. */
const char *job_bus_path(uint32_t id, char ret[static BUS_PATH_SIZE]);
