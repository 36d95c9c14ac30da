/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A master's bus, with an index, volumes and jobs of its own, and a caller at the other end. Link
 * with --wrap=sd_bus_creds_get_euid: who calls is what the kernel says of the other end, and no
 * test can be somebody else. Include after "test.h". */

#include "bus/bus-ends.h"
#include "master/bus/manager.h"
#include "master/cluster/report.h"
#include "master/cluster/watch.h"
#include "master/conf.h"
#include "scratch.h"

#define MANAGER_PATH      "/org/dkv/Master1"
#define MANAGER_INTERFACE "org.dkv.Master1.Manager"
#define VOLUME_1          "/org/dkv/Master1/volume/1"
#define VOLUME_INTERFACE  "org.dkv.Master1.Volume"
#define JOB_1             "/org/dkv/Master1/job/1"
#define JOB_INTERFACE     "org.dkv.Master1.Job"

typedef struct Fixture {
        char *directory;
        MasterConf conf;
        Index *index;
        Troubles *troubles;
        Lead *lead; /* NULL for one that leads anyway */
        Volumes *volumes;
        Watch *watch;
        Jobs *jobs;
        MasterBus *bus;
} Fixture;

static BusEnds ends;
static uid_t caller; /* who calls; root at first */

int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret);

int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret) {
        *ret = caller;
        return 0;
}

static inline void start_jobs(Fixture *fixture) {
        assert_ok(jobs_new(
                        &(JobsOptions){
                                        .event = ends.event,
                                        .index = fixture->index,
                                        .volumes = fixture->volumes,
                                        .troubles = fixture->troubles,
                                        .grace_usec = &fixture->conf.grace_usec,
                                        .ticket_usec = &fixture->conf.ticket_usec,
                        },
                        &fixture->jobs));
}

static inline void start_bus(Fixture *fixture) {
        assert_ok(master_bus_new(
                        &(MasterBusOptions){
                                        .event = ends.event,
                                        .address = "none",
                                        .connection = ends.server,
                                        .settings = master_conf_items,
                                        .conf = &fixture->conf,
                                        .directory = fixture->conf.directory,
                                        .listen = fixture->conf.endpoint.listen,
                                        .index = fixture->index,
                                        .lead = fixture->lead,
                                        .troubles = fixture->troubles,
                                        .volumes = fixture->volumes,
                                        .watch = fixture->watch,
                                        .jobs = fixture->jobs,
                        },
                        &fixture->bus));
        bus_ends_await(&ends,
                       sd_event_run(ends.event, 0) == 0); /* nobody follows the first signals */
}

/* All but jobs and bus. */
static inline Fixture *fixture_new(void) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        IndexOptions options = {};

        caller = 0;
        bus_ends_init(&ends);
        options.directory = fixture->directory = scratch_new();
        assert_ok(conf_init(master_conf_items, &fixture->conf));
        assert_ok(
                        conf_set(master_conf_items, &fixture->conf, "Directory", fixture->directory,
                                 "a test"));
        assert_ok(troubles_new(&fixture->troubles));
        assert_ok(index_open(&options, &fixture->index));
        assert_ok(volumes_new(
                        fixture->index,
                        &(VolumesOptions){ .timeout_usec = 60 * USEC_PER_SEC, .copies = 1 },
                        &fixture->volumes));
        assert_ok(watch_new(fixture->volumes, ends.event, &fixture->watch));
        return fixture;
}

/* As a master ends. */
static inline void stop_all(Fixture *fixture) {
        if (fixture->jobs)
                jobs_stop(fixture->jobs);
        fixture->index = index_free(fixture->index);
        master_bus_stop(fixture->bus);
        fixture->watch = watch_free(fixture->watch);
        fixture->volumes = volumes_free(fixture->volumes);
        fixture->jobs = jobs_free(fixture->jobs);
        fixture->bus = master_bus_free(fixture->bus);
}

static inline void fixture_free(Fixture *fixture) {
        stop_all(fixture);
        (void) lead_free(fixture->lead);
        (void) troubles_free(fixture->troubles);
        bus_ends_done(&ends);
        conf_done(master_conf_items, &fixture->conf);
        scratch_free(fixture->directory);
        free(fixture);
}

/* The reply of a change: the path of the job, until the next call, and the epoch. */
static inline uint64_t read_change(sd_bus_message *reply, const char **ret_job) {
        static char job[64];
        uint64_t epoch;

        assert_ok(sd_bus_message_read(assert_no_bus_error(reply), "ot", ret_job, &epoch));
        (void) snprintf(job, sizeof(job), "%s", *ret_job);
        *ret_job = job;
        (void) sd_bus_message_unref(reply);
        return epoch;
}

/* The same of one that starts no job. */
static inline uint64_t epoch_of(sd_bus_message *reply) {
        const char *job;
        uint64_t epoch = read_change(reply, &job);

        assert_string_equal(job, "/");
        return epoch;
}
