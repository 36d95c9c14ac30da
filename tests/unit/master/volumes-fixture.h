/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The volumes of a master with an index, and their reports. Include after "test.h". */

#include <stdio.h>
#include <string.h>

#include "master/cluster/membership.h"
#include "master/cluster/report.h"
#include "master/cluster/volume-settings.h"
#include "master/cluster/watch.h"
#include "scratch.h"
#include "shift.h"
#include "store/index/engine/index-internal.h"
#include "test.h"

#define TIMEOUT_SEC 60
#define FREE        (100 * GIB)

typedef struct Fixture {
        char *directory;
        sd_event *event;
        Index *index;
        Volumes *volumes;
        Watch *watch;
} Fixture;

/* See submit_intercept(). */
static Interception (*volumes_fixture_intercept)(const IndexRequest *request, void *userdata);

static inline void open_all(Fixture *fixture, bool auto_add) {
        IndexOptions options = { .directory = fixture->directory };
        VolumesOptions volumes_options = {
                .timeout_usec = TIMEOUT_SEC * USEC_PER_SEC,
                .copies = 1,
                .auto_add = auto_add,
        };

        assert_int_equal(index_open(&options, &fixture->index), 0);
        submit_intercept(&fixture->index->submitter, volumes_fixture_intercept, NULL);
        assert_ok(volumes_new(fixture->index, &volumes_options, &fixture->volumes));
        assert_ok(watch_new(fixture->volumes, fixture->event, &fixture->watch));
}

static inline void close_all(Fixture *fixture) {
        fixture->watch = watch_free(fixture->watch);
        fixture->index = index_free(fixture->index);
        fixture->volumes = volumes_free(fixture->volumes);
}

static inline void reopen(Fixture *fixture, bool auto_add) {
        close_all(fixture);
        open_all(fixture, auto_add);
}

static inline int setup_with(void **state, bool auto_add) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        assert_ok(sd_event_new(&fixture->event));
        open_all(fixture, auto_add);
        *state = fixture;
        return 0;
}

static inline int setup(void **state) {
        return setup_with(state, true);
}

static inline int setup_by_hand(void **state) {
        return setup_with(state, false);
}

static inline int teardown(void **state) {
        Fixture *fixture = *state;

        close_all(fixture);
        sd_event_unref(fixture->event);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static inline VolumeReport make_report(uint32_t number) {
        static char url[64];
        static uint64_t sequence;

        (void) snprintf(url, sizeof(url), "http://volume-%u:3001", number);
        return (VolumeReport){
                .number = number,
                .uuid = { (uint8_t) number },
                .run = number,
                .sequence = ++sequence,
                .url = url,
                .zone = "here",
                .disk_free = FREE,
                .disk_size = 2 * FREE,
                .objects = 7,
                .bytes = 8,
                .pending = 9,
        };
}

/* Waits until what was submitted to the index is done. */
static inline void settle(Fixture *fixture) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(fixture->index, &barrier);
        assert_int_equal(scratch_wait(), 0);
}

static inline int send_report(Fixture *fixture, const VolumeReport *report) {
        int r = volumes_report(fixture->volumes, report);

        settle(fixture);
        return r;
}

static inline void report_free(Fixture *fixture, uint32_t number, uint64_t disk_free) {
        VolumeReport request = make_report(number);

        request.disk_free = disk_free;
        assert_int_equal(send_report(fixture, &request), 0);
}

static inline void report(Fixture *fixture, uint32_t number) {
        report_free(fixture, number, FREE);
}

/* Lets the timer run twice and counts what it says to stderr. */
static inline unsigned count_messages(Fixture *fixture, const char *message) {
        FILE *output = tmpfile();
        int saved = dup(STDERR_FILENO);
        char line[256];
        unsigned n = 0;

        assert_non_null(output);
        assert_ok(dup2(fileno(output), STDERR_FILENO));
        for (int i = 0; i < 2; i++)
                assert_ok(sd_event_run(fixture->event, UINT64_MAX));
        assert_ok(dup2(saved, STDERR_FILENO));
        close(saved);

        rewind(output);
        while (fgets(line, sizeof(line), output))
                n += strstr(line, message) != NULL;
        fclose(output);
        return n;
}
