/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The jobs on the master's D-Bus: /org/dkv/Master1/job/N, interface org.dkv.Master1.Job; see
 * org.dkv.Master1(5).
 *
 * Figures change all the time: what has changed of a job is told twice a second at most. What a
 * program reads is as it is then. */

#include "master/bus/manager.h"

#define JOB_BUS_PATH      "/org/dkv/Master1/job"
#define JOB_BUS_INTERFACE "org.dkv.Master1.Job"
#define JOB_BUS_PATH_SIZE (sizeof(JOB_BUS_PATH "/") + 10)

typedef struct JobBus JobBus;

extern const sd_bus_vtable job_bus_vtable[];

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

/* Becomes the observer of the master's jobs, if it has any. */
int job_bus_new(MasterBus *bus, JobBus **ret);
JobBus *job_bus_free(JobBus *jobs);
DEFINE_CLEANUP(JobBus *, job_bus_free);

/* The object of a job that has just been started: it is told of before the reply that names it. */
void job_bus_add(JobBus *jobs, uint32_t id);

/* Writes "/" for 0. */
const char *job_bus_path(uint32_t id, char ret[static JOB_BUS_PATH_SIZE]);
