/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A group of one, which asks nobody: what it does when its disk is full or fails, and on which
 * thread it tells of it. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "master/group/group.h"
#include "scratch.h"
#include "store/entries/entry-log.h"

#define SECRET "0123456789abcdef"

static char *directory;
static int dir_fd;
static Loops *loops;
static Secret *secret;
static Peers *peers;
static Group *group;
static pthread_t thread; /* the test's own */

/* What writes end with, and how many have ended so. */
static atomic_int disk_error;
static atomic_uint n_failed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* with the lock */
static GroupView view;
static unsigned n_decided, n_refused;
static int refusal, broken;

int __real_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);
int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        if (disk_error == 0)
                return __real_entry_log_write(log, writes, n);
        n_failed++;
        return disk_error;
}

/* Each callback begins so. */
static void enter(void) {
        assert_false(pthread_equal(pthread_self(), thread));
        assert_non_null(group);
        (void) pthread_mutex_lock(&lock);
}

static void leave(void) {
        (void) pthread_cond_broadcast(&changed);
        (void) pthread_mutex_unlock(&lock);
}

static void on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        enter();
        n_decided += proposal != NULL;
        leave();
}

static void on_refused(void *proposal, int error, void *userdata) {
        enter();
        n_refused++;
        refusal = error;
        leave();
}

static void on_view(const GroupView *now, void *userdata) {
        enter();
        view = *now;
        leave();
}

static void on_broken(int error, void *userdata) {
        enter();
        broken = error;
        leave();
}

/* With a database that has the entries up to APPLIED. */
static void start(uint64_t applied) {
        GroupOptions options = {
                .self = 1,
                .group = "a group",
                .seed = 1,
                .run = 1,
                .election_usec = 10 * USEC_PER_MSEC,
                .heartbeat_usec = 3 * USEC_PER_MSEC,
                .peers = peers,
                .dir_fd = dir_fd,
                .new_log = 1,
                .segment_size = 64 * KIB,
                .applied = { .index = applied,
                             .term = applied > 0,
                             .members = { 1, { { 1, MEMBER_VOTER, "http://127.0.0.1:1" } } } },
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_broken = on_broken,
        };

        view = (GroupView){};
        n_decided = n_refused = 0;
        refusal = broken = 0;
        assert_int_equal(group_new(&options, &group), 0);
}

static int setup(void **state) {
        thread = pthread_self();
        disk_error = 0;
        n_failed = 0;
        directory = scratch_new();
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(dir_fd);
        assert_ok(secret_new(SECRET, strlen(SECRET), &secret));
        assert_ok(loops_new(1, &loops));
        assert_ok(peers_new(&(PeersOptions){ loops, secret, USEC_PER_HOUR }, &peers));
        return 0;
}

static int teardown(void **state) {
        peers = peers_free(peers);
        loops = loops_free(loops);
        group_stop(group); /* its last callbacks still find it */
        group = group_free(group);
        secret = secret_free(secret);
        closep(&dir_fd);
        directory = scratch_free(directory);
        return 0;
}

#define WAIT_FOR(condition) \
        do { \
                (void) pthread_mutex_lock(&lock); \
                while (!(condition)) \
                        (void) pthread_cond_wait(&changed, &lock); \
                (void) pthread_mutex_unlock(&lock); \
        } while (0)

static void propose(void) {
        static int proposal;
        Buffer data = {};

        buffer_put_u64(&data, 1);
        assert_ok(group_propose(group, &data, &proposal));
}

TEST(callbacks_come_on_the_groups_own_thread) {
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        propose();
        WAIT_FOR(n_decided == 1);
        group_stop(group);
        group = group_free(group);

        start(0); /* it has a term to tell of from the beginning */
        WAIT_FOR(view.term > 0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
}

TEST(a_group_can_be_made_and_freed_while_the_disk_is_full) {
        disk_error = -ENOSPC;
        start(10); /* the log is behind that, and is to begin there */
        while (n_failed < 2)
                (void) usleep(USEC_PER_MSEC);
        group_stop(group);
        assert_int_equal(broken, 0);
}

TEST(it_goes_on_when_there_is_room_again) {
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        disk_error = -ENOSPC;
        propose();
        while (n_failed < 2)
                (void) usleep(USEC_PER_MSEC);
        disk_error = 0;
        WAIT_FOR(n_decided == 1);
        assert_int_equal(n_refused, 0);
}

/* It has nothing else to wait for: no other member, no time. */
TEST(a_disk_that_fails_is_told_of_at_once) {
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        propose();
        WAIT_FOR(n_decided == 1); /* and so nothing else is to be written */
        disk_error = -EIO;
        propose();
        WAIT_FOR(broken < 0);
        assert_int_equal(broken, -EIO);
        assert_int_equal(n_refused, 1);
        assert_int_equal(refusal, -EINPROGRESS);
        assert_int_equal(n_decided, 1);
        assert_int_equal(group_propose(group, &(Buffer){}, (void *) directory), -ESHUTDOWN);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(callbacks_come_on_the_groups_own_thread),
                RUN(a_group_can_be_made_and_freed_while_the_disk_is_full),
                RUN(it_goes_on_when_there_is_room_again),
                RUN(a_disk_that_fails_is_told_of_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
