/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What takes care of the volumes: it is there from the start, changes nothing while the master does
 * not lead, and goes in any state. */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "master/cluster/membership.h"
#include "master/cluster/report.h"
#include "master/leader.h"
#include "scratch.h"
#include "store/index/identity.h"

static struct {
        char *directory;
        sd_event *event;
        MasterConf conf;
        Index *index;
        Troubles *troubles;
        Lead *lead;
        HttpClient *client;
        Loops *loops;
        Secret *secret;
        Peers *peers;
} world;

#define SECRET "0123456789abcdef"

static void open_world(void) {
        HttpClientOptions client = {
                .connect_timeout_usec = USEC_PER_SEC,
                .stall_timeout_usec = USEC_PER_MIN,
                .connections_max = 2,
                .secret = SECRET,
                .secret_size = strlen(SECRET),
        };

        assert_ok(sd_event_new(&world.event));
        assert_ok(conf_init(master_conf_items, &world.conf));
        assert_ok(troubles_new(&world.troubles));
        assert_ok(http_client_new(&client, &world.client));
        assert_ok(loops_new(1, &world.loops));
        assert_ok(secret_new(SECRET, strlen(SECRET), &world.secret));
        assert_ok(
                        peers_new(&(PeersOptions){ .loops = world.loops,
                                                   .secret = world.secret,
                                                   .timeout_usec = USEC_PER_SEC },
                                  &world.peers));
        assert_ok(index_open(&(IndexOptions){ .directory = world.directory }, &world.index));
        assert_ok(lead_new(
                        &(LeadOptions){
                                        .index = world.index,
                                        .troubles = world.troubles,
                                        .directory = world.directory,
                        },
                        world.event, &world.lead));
}

/* As a node does: threads, then clients and index, then the rest. */
static void close_world(Leader *leader) {
        leader_stop(leader);
        peers_stop(world.peers);
        world.client = http_client_free(world.client);
        world.index = index_free(world.index);
        (void) leader_free(leader);
        world.peers = peers_free(world.peers);
        world.loops = loops_free(world.loops);
        world.secret = secret_free(world.secret);
        world.lead = lead_free(world.lead);
        world.troubles = troubles_free(world.troubles);
        world.event = sd_event_unref(world.event);
        conf_done(master_conf_items, &world.conf);
        world.conf = (MasterConf){};
}

static int setup(void **state) {
        world.directory = scratch_new();
        open_world();
        return 0;
}

static int teardown(void **state) {
        world.directory = scratch_free(world.directory);
        return 0;
}

static int try_to_make(Leader **ret) {
        LeaderOptions options = {
                .event = world.event,
                .conf = &world.conf,
                .index = world.index,
                .lead = world.lead,
                .troubles = world.troubles,
                .client = world.client,
                .bulk = world.client,
                .peers = world.peers,
        };

        *ret = NULL;
        return leader_new(&options, ret);
}

static Leader *make(void) {
        Leader *leader;

        assert_ok(try_to_make(&leader));
        return leader;
}

static void set_state(const char *name, const void *data, size_t size) {
        IndexSet set = {
                .request.done = scratch_answered,
                .name = name,
                .data = data,
                .size = size,
        };

        index_set(world.index, &set);
        assert_ok(scratch_wait());
}

static int report(Leader *leader, uint32_t number) {
        static uint64_t sequence;
        VolumeReport one = {
                .number = number,
                .uuid = { (uint8_t) number },
                .run = 1,
                .sequence = ++sequence,
                .url = "http://127.0.0.1:1",
                .zone = "",
                .disk_free = GIB,
                .disk_size = GIB,
        };
        int r = volumes_report(leader->volumes, &one);

        set_state("barrier", "", 1); /* the map is stored */
        return r;
}

static size_t count_volumes(const Leader *leader) {
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t epoch;
        size_t n;

        assert_ok(volumes_list(leader->volumes, &list, &n, &epoch));
        return n;
}

static size_t count_jobs(const Leader *leader) {
        _cleanup_free_ JobStatus *list = NULL;
        size_t n;

        assert_ok(jobs_list(leader->jobs, &list, &n));
        return n;
}

static void be_older(void) {
        VolumeReport ahead = {
                .number = 1,
                .run = 1,
                .sequence = 1,
                .version_max = index_next_version(world.index, VERSION_DIRECT) + (1U << 30),
                .objects = 1,
        };

        memcpy(ahead.lead.cluster, index_identity(world.index)->cluster, CLUSTER_ID_SIZE);
        assert_int_equal(lead_hear(world.lead, &ahead, LEAD_MEMBER, 1), -EOWNERDEAD);
}

TEST(all_of_it_is_there_from_the_start) {
        Leader *leader = make();

        assert_non_null(leader->volumes);
        assert_non_null(leader->watch);
        assert_non_null(leader->outbox);
        assert_non_null(leader->garbage);
        assert_non_null(leader->prober);
        assert_non_null(leader->jobs);
        assert_non_null(leader->stale);
        close_world(leader);
}

TEST(the_map_outlives_it) {
        Leader *leader = make();

        assert_ok(report(leader, 1));
        assert_ok(report(leader, 2));
        assert_int_equal(count_volumes(leader), 2);
        close_world(leader);
        open_world();
        leader = make();
        assert_int_equal(count_volumes(leader), 2);
        close_world(leader);
}

TEST(settings_reach_the_volumes) {
        Leader *leader = make();
        VolumeStatus *list;
        uint64_t epoch;
        size_t n;

        assert_int_equal(volumes_copies(leader->volumes), 1);
        assert_ok(report(leader, 1));
        world.conf.copies = 4;
        world.conf.auto_add_volumes = true;
        leader_configure(leader);
        assert_int_equal(volumes_copies(leader->volumes), 4);
        assert_ok(report(leader, 2));
        assert_ok(volumes_list(leader->volumes, &list, &n, &epoch));
        assert_int_equal(n, 2);
        assert_int_equal(list[0].state, VOLUME_NEW);
        assert_int_equal(list[1].state, VOLUME_ACTIVE);
        free(list);
        close_world(leader);
}

static void on_changed(VolumesChange *change, int result) {
        fail_msg("a change of a master that does not lead was begun");
}

static void on_started(int result, uint32_t id, uint64_t epoch, void *userdata) {
        scratch_done(NULL, result);
}

TEST(a_master_that_does_not_lead_changes_nothing) {
        const uint32_t number = 1;
        Leader *leader = make();
        VolumesChange change = { .epoch = EPOCH_ANY, .done = on_changed };
        JobRequest drain = {
                .type = JOB_DRAIN,
                .numbers = &number,
                .n_numbers = 1,
                .epoch = EPOCH_ANY,
        };
        uint32_t refused;

        assert_ok(report(leader, 1));
        be_older();
        assert_int_equal(report(leader, 2), -EOWNERDEAD);
        assert_int_equal(count_volumes(leader), 1);
        assert_int_equal(volumes_add(leader->volumes, &number, 1, &change), -EOWNERDEAD);
        assert_true(job_start(leader->jobs, &drain, on_started, NULL, &refused) < 0);
        assert_int_equal(count_jobs(leader), 0);
        close_world(leader);
}

/* What was begun goes on with the index that leads, and stays as it is with one that does not. */
TEST(jobs_wait_until_the_master_leads) {
        const JobRequest rebalance = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };
        Leader *leader = make();
        JobStatus status;
        uint32_t refused;

        be_older();
        if (job_start(leader->jobs, &rebalance, on_started, NULL, &refused) >= 0)
                (void) scratch_wait();
        if (job_get(leader->jobs, 1, &status) >= 0)
                assert_int_equal(status.state, JOB_QUEUED);
        close_world(leader);
}

/* It is given back, to be freed in the order in which all of it ends. */
TEST(a_leader_that_is_made_by_half_goes_like_a_whole_one) {
        static const struct {
                const char *name;
                bool has_volumes;
        } table[] = { { "cluster", false }, { "jobs", true } };

        close_world(NULL);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Leader *leader;

                open_world();
                set_state(table[i].name, "\xff\xff\xff", 3);
                assert_true(try_to_make(&leader) < 0);
                assert_non_null(leader);
                assert_int_equal(leader->volumes != NULL, table[i].has_volumes);
                assert_null(leader->jobs);
                set_state(table[i].name, NULL, 0);
                close_world(leader);
        }
        open_world();
        close_world(make());
}

TEST(without_a_leader_there_is_nothing_to_stop) {
        leader_stop(NULL);
        assert_null(leader_free(NULL));
        close_world(NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(all_of_it_is_there_from_the_start),
                ROW(the_map_outlives_it),
                ROW(settings_reach_the_volumes),
                ROW(a_master_that_does_not_lead_changes_nothing),
                ROW(jobs_wait_until_the_master_leads),
                ROW(a_leader_that_is_made_by_half_goes_like_a_whole_one),
                ROW(without_a_leader_there_is_nothing_to_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
