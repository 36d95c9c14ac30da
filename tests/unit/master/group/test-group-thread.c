/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One member, with nobody else there: what it does when its disk is full or fails, on which thread
 * it tells of it, and what it makes of a leader that the test stands in for. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "consensus/message-codec.h"
#include "master/group/change.h"
#include "master/group/group.h"
#include "master/group/probe.h"
#include "master/group/recent.h"
#include "master/group/status.h"
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
static atomic_int disk_error, vote_error;
static atomic_uint n_failed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* with the lock */
static GroupView view;
static int take_error; /* why the consumer takes no entry, or 0 */
static unsigned n_offered;
static uint64_t told;    /* the last one that it has taken */
static GroupProbe *asks; /* a probe for when it takes one, or NULL */
static uint64_t told_before_answer;
static unsigned n_decided, n_refused, n_changed, n_lost; /* the last: the leader */
static int refusal, change_error, broken;

/* If it is to follow, it waits for this one when it has heard of the leader first. */
static bool follows;
static bool is_elected; /* by the others, for which the test stands in */
static sem_t goes_on;

int __real_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);
int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        if (disk_error == 0)
                return __real_entry_log_write(log, writes, n);
        n_failed++;
        return disk_error;
}

int __real_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);
int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);

int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote) {
        return vote_error < 0 ? vote_error : __real_entry_log_vote(log, term, vote);
}

static atomic_uint_least64_t recent_max; /* the most that was kept in memory */

void __real_recent_trim(Recent *recent, uint64_t index, uint64_t size);
void __wrap_recent_trim(Recent *recent, uint64_t index, uint64_t size);

void __wrap_recent_trim(Recent *recent, uint64_t index, uint64_t size) {
        __real_recent_trim(recent, index, size);
        recent_max = MAX(recent_max, recent->size);
}

/* A message that comes. */
struct RpcRequest {
        Parties parties;
        Buffer body;
};

const Parties *__wrap_rpc_request_parties(const RpcRequest *request);
const Buffer *__wrap_rpc_request_body(const RpcRequest *request);
int __wrap_rpc_request_reply(RpcRequest *request, const Leadership *lead, Buffer *answer);

const Parties *__wrap_rpc_request_parties(const RpcRequest *request) {
        return &request->parties;
}

const Buffer *__wrap_rpc_request_body(const RpcRequest *request) {
        return &request->body;
}

int __wrap_rpc_request_reply(RpcRequest *request, const Leadership *lead, Buffer *answer) {
        return 0;
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

static int on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        int r;

        enter();
        n_offered++;
        assert_int_equal(index, told + 1);
        r = take_error;
        if (r == 0) {
                told = index;
                n_decided += proposal != NULL;
                if (asks)
                        assert_int_equal(group_probe(group, TAKE_PTR(asks)), 0);
        }
        leave();
        return r;
}

static void on_refused(void *proposal, int error, void *userdata) {
        enter();
        n_refused++;
        refusal = error;
        leave();
}

static void on_view(const GroupView *now, void *userdata) {
        enter();
        n_lost += view.leader > 0 && now->leader == 0;
        view = *now;
        leave();
        if (follows && now->leader > 0)
                while (sem_wait(&goes_on) < 0)
                        ;
}

static void on_fetch(uint64_t index, void *userdata) {
        abort();
}

static void on_broken(int error, void *userdata) {
        enter();
        broken = error;
        leave();
}

#define URL "http://127.0.0.1:1" /* where nobody is */

/* With a database that has the entries up to APPLIED. */
static void start(uint64_t applied) {
        const Members alone = { 1, { { 1, MEMBER_VOTER, URL } } };
        const Members many = {
                3, { { 1, MEMBER_VOTER, URL }, { 2, MEMBER_VOTER, URL }, { 3, MEMBER_VOTER, URL } }
        };
        GroupOptions options = {
                .self = 1,
                .group = "a group",
                .seed = 1,
                .run = 1,
                .election_usec = follows || is_elected ? USEC_PER_HOUR : 10 * USEC_PER_MSEC,
                .heartbeat_usec = 3 * USEC_PER_MSEC,
                .peers = peers,
                .dir_fd = dir_fd,
                .new_log = 1,
                .segment_size = 64 * KIB,
                .applied = { .index = applied,
                             .term = applied > 0,
                             .members = follows || is_elected ? many : alone },
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_fetch = on_fetch,
                .on_broken = on_broken,
        };

        view = (GroupView){};
        told = applied;
        n_offered = n_decided = n_refused = n_changed = n_lost = 0;
        refusal = change_error = broken = 0;
        assert_int_equal(group_new(&options, &group), 0);
}

static int setup(void **state) {
        thread = pthread_self();
        disk_error = vote_error = take_error = 0;
        recent_max = 0;
        n_failed = 0;
        follows = is_elected = false;
        assert_ok(sem_init(&goes_on, 0, 0));
        directory = scratch_new();
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(dir_fd);
        assert_ok(secret_new(SECRET, strlen(SECRET), &secret));
        assert_ok(loops_new(1, &loops));
        assert_ok(peers_new(&(PeersOptions){ loops, secret, USEC_PER_HOUR }, &peers));
        return 0;
}

static int teardown(void **state) {
        group_stop(group); /* its last callbacks still find it */
        peers = peers_free(peers);
        loops = loops_free(loops);
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

static void propose_sized(size_t size) {
        static int proposal;
        Buffer data = {};

        while (data.size < size)
                buffer_put_u64(&data, 1);
        assert_ok(group_propose(group, &data, &proposal));
}

static void propose(void) {
        propose_sized(sizeof(uint64_t));
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

/* -- A consumer that does not take what it is told -- */

static GroupStatus status(void) {
        GroupStatus status;

        group_status(group, &status);
        return status;
}

static void wait_for_commit(uint64_t index) {
        while (status().commit < index)
                (void) usleep(100);
}

static void refuse(int error) {
        (void) pthread_mutex_lock(&lock);
        take_error = error;
        (void) pthread_mutex_unlock(&lock);
}

static void take_again(void) {
        refuse(0);
        group_ready(group);
}

TEST(what_is_not_taken_comes_again_when_it_would_be) {
        refuse(-EAGAIN);
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        propose();
        propose();
        wait_for_commit(3);
        assert_int_equal(n_offered, 1);
        assert_int_equal(view.start, 0);
        assert_int_equal(status().told, 0);

        take_again();
        WAIT_FOR(n_decided == 2 && view.start == 1);
        assert_int_equal(n_offered, 4);
        assert_int_equal(n_refused, 0);
}

TEST(without_memory_it_comes_again_by_itself) {
        refuse(-ENOMEM);
        start(0);
        WAIT_FOR(n_offered == 3);
        refuse(0);
        WAIT_FOR(view.start == 1);
        assert_int_equal(broken, 0);
}

TEST(a_consumer_that_fails_ends_the_group) {
        refuse(-EIO);
        start(0);
        WAIT_FOR(broken < 0);
        assert_int_equal(broken, -EIO);
        assert_int_equal(n_offered, 1);
}

TEST(what_is_not_taken_is_unknown_to_who_stops_it) {
        refuse(-EAGAIN);
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        propose();
        wait_for_commit(2);
        group_stop(group);
        assert_int_equal(n_refused, 1);
        assert_int_equal(refusal, -EINPROGRESS);
}

static void on_probed(GroupProbe *probe, int error) {
        enter();
        told_before_answer = told;
        leave();
}

/* It is read from the log later, and others have their turn in between. */
TEST(what_waits_to_be_taken_takes_no_memory) {
        GroupProbe probe = { .term = 77, .done = on_probed };
        uint64_t last = 1;

        refuse(-EAGAIN);
        start(0);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
        for (; last < 100; last++) {
                propose_sized(1 * MIB);
                wait_for_commit(last + 1);
        }
        assert_true(recent_max > 32 * MIB && recent_max < 80 * MIB);

        told_before_answer = 0;
        asks = &probe;
        take_again();
        WAIT_FOR(n_decided == 99);
        assert_int_equal(told, last);
        assert_true(told_before_answer > 0 && told_before_answer < 10);
}

/* Number 2, in one of its processes. */
static Handshake leader(uint64_t run) {
        return (Handshake){ .from = { .uuid = "a group\0\2", .run = run } };
}

/* A message of number 2 as the leader of TERM: a heartbeat, or an entry at INDEX. */
static void hear_leader(uint64_t term, uint64_t index) {
        static uint64_t sequence;
        const Entry entry = { .term = term, .type = ENTRY_REQUESTS };
        Message message = {
                .type = MESSAGE_APPEND,
                .group = "a group",
                .from = 2,
                .to = 1,
                .term = term,
                .index = index > 0 ? index - 1 : 0,
                .index_term = index > 1,
                .n = index > 0,
                .entries = &entry,
        };
        RpcRequest request = { .parties = { .from = leader(1).from, .sequence = ++sequence } };

        mail_begin("", &request.body);
        message_encode(&message, &request.body);
        assert_int_equal(group_receive(group, &request), 0);
        buffer_done(&request.body);
}

TEST(a_leader_is_lost_when_its_last_connection_ends) {
        const Handshake old = leader(1), new = leader(2);

        follows = true;
        start(0);
        hear_leader(1, 0);
        WAIT_FOR(view.leader == 2);
        group_connected(group, &old);
        group_connected(group, &new);
        group_disconnected(group, &old);
        hear_leader(2, 0); /* behind that */
        assert_ok(sem_post(&goes_on));
        WAIT_FOR(view.term == 2 && view.leader == 2);
        assert_ok(sem_post(&goes_on));
        assert_int_equal(n_lost, 0);
        group_disconnected(group, &new);
        WAIT_FOR(n_lost == 1);
}

static void send(const Message *message) {
        static uint64_t sequence;
        RpcRequest request = { .parties = { .from = leader(3).from, .sequence = ++sequence } };

        mail_begin("", &request.body);
        message_encode(message, &request.body);
        assert_int_equal(group_receive(group, &request), 0);
        buffer_done(&request.body);
}

/* What number 2 says besides. */
static Message message_of(MessageType type, uint64_t term) {
        return (Message){ .type = type, .group = "a group", .from = 2, .to = 1, .term = term };
}

/* Number 2 hands the lead over, and votes for this one. */
static void be_elected(void) {
        const Message campaign = message_of(MESSAGE_CAMPAIGN, 1);
        const Message vote = message_of(MESSAGE_VOTE_ANSWER, 2);

        is_elected = true;
        start(0);
        hear_leader(1, 0);
        send(&campaign);
        send(&vote);
        WAIT_FOR(view.role == CONSENSUS_LEADER);
}

/* Returns the term in which this one leads, as soon as it has an entry at INDEX. */
static uint64_t wait_for_entry(uint64_t index) {
        while (status().last < index)
                (void) usleep(100);
        return status().view.term;
}

/* Number 2 has the entries up to INDEX on its disk, and so they are decided. */
static void have_decided(uint64_t index) {
        Message answer = message_of(MESSAGE_APPEND_ANSWER, wait_for_entry(index));

        answer.index = index;
        send(&answer);
        wait_for_commit(index);
}

/* Number 2 leads in the next term, and has had another entry decided at INDEX before it is heard
 * of. */
static void have_decided_otherwise(uint64_t index) {
        uint64_t term = wait_for_entry(index);
        const Entry entry = { .term = term + 1, .type = ENTRY_REQUESTS };
        Message append = message_of(MESSAGE_APPEND, term + 1);

        append.index = index - 1;
        append.index_term = term;
        append.n = 1;
        append.entries = &entry;
        append.commit = index;
        send(&append);
}

TEST(a_proposal_whose_place_another_entry_has_taken_is_told_of) {
        be_elected();
        propose();
        have_decided_otherwise(2);
        WAIT_FOR(n_refused == 1);
        assert_int_equal(refusal, -EINPROGRESS);
        assert_int_equal(n_decided, 0);
}

static void on_changed(GroupChange *change, int error) {
        enter();
        n_changed++;
        change_error = error;
        leave();
}

TEST(a_change_whose_place_another_entry_has_taken_is_not_done) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        be_elected();
        have_decided(1);
        assert_int_equal(group_change(group, &change), 0);
        have_decided_otherwise(2);
        WAIT_FOR(n_changed == 1);
        assert_int_equal(change_error, -EINPROGRESS);
}

TEST(a_change_is_done_when_it_is_decided) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        be_elected();
        have_decided(1);
        assert_int_equal(group_change(group, &change), 0);
        have_decided(2);
        WAIT_FOR(n_changed == 1);
        assert_int_equal(change_error, 0);
}

TEST(what_is_undecided_is_given_up_with_the_lead) {
        Message heartbeat;

        be_elected();
        propose();
        heartbeat = message_of(MESSAGE_APPEND, wait_for_entry(2) + 1);
        send(&heartbeat);
        WAIT_FOR(view.role == CONSENSUS_FOLLOWER);
        assert_int_equal(n_refused, 1);
        assert_int_equal(refusal, -EINPROGRESS);
}

/* One entry of this one is decided, and a change, and another one is not, when it loses the lead
 * before it was told of any of them. */
static void lose_lead_untold(GroupChange *change) {
        be_elected();
        have_decided(1);
        WAIT_FOR(view.start == 1);
        refuse(-EAGAIN);
        propose();
        assert_int_equal(group_change(group, change), 0);
        have_decided(3);
        propose();
        have_decided_otherwise(4);
        WAIT_FOR(view.role == CONSENSUS_FOLLOWER);
        assert_int_equal(n_refused, 1);
        assert_int_equal(refusal, -EINPROGRESS);
        assert_int_equal(n_changed, 0);
        assert_int_equal(told, 1);
}

TEST(what_is_decided_is_told_of_though_the_lead_is_lost) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        lose_lead_untold(&change);
        take_again();
        WAIT_FOR(told == 4);
        assert_int_equal(n_decided, 1);
        assert_int_equal(n_refused, 1);
        assert_int_equal(n_changed, 1);
        assert_int_equal(change_error, 0);
}

TEST(what_a_database_has_is_not_told_of_any_more) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };
        const ConsensusApplied database = {
                .index = 10,
                .term = 3,
                .members_index = 3,
                .members = { 2, { { 1, MEMBER_VOTER, URL }, { 2, MEMBER_VOTER, URL } } },
        };

        lose_lead_untold(&change);
        group_installed(group, &database);
        WAIT_FOR(n_refused == 2 && n_changed == 1);
        assert_int_equal(refusal, -EINPROGRESS);
        assert_int_equal(change_error, -EINPROGRESS);
        while (status().told < database.index)
                (void) usleep(100);
        assert_int_equal(told, 1);
}

/* As many writes as one flush is for, and then a vote that cannot be kept and another write, which
 * the log would refuse. */
TEST(nothing_is_written_behind_a_vote_that_is_not_on_the_disk) {
        follows = true;
        start(0);
        hear_leader(1, 0);
        WAIT_FOR(view.leader == 2);
        for (uint64_t index = 1; index <= 64; index++)
                hear_leader(1, index);
        hear_leader(2, 65);
        vote_error = -EIO;
        assert_ok(sem_post(&goes_on));
        assert_ok(sem_post(&goes_on)); /* it may hear of the next term before the disk fails */
        WAIT_FOR(broken < 0);
        assert_int_equal(broken, -EIO);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(callbacks_come_on_the_groups_own_thread),
                RUN(a_group_can_be_made_and_freed_while_the_disk_is_full),
                RUN(it_goes_on_when_there_is_room_again),
                RUN(a_disk_that_fails_is_told_of_at_once),
                RUN(what_is_not_taken_comes_again_when_it_would_be),
                RUN(without_memory_it_comes_again_by_itself),
                RUN(a_consumer_that_fails_ends_the_group),
                RUN(what_is_not_taken_is_unknown_to_who_stops_it),
                RUN(what_waits_to_be_taken_takes_no_memory),
                RUN(a_leader_is_lost_when_its_last_connection_ends),
                RUN(a_proposal_whose_place_another_entry_has_taken_is_told_of),
                RUN(a_change_whose_place_another_entry_has_taken_is_not_done),
                RUN(a_change_is_done_when_it_is_decided),
                RUN(what_is_undecided_is_given_up_with_the_lead),
                RUN(what_is_decided_is_told_of_though_the_lead_is_lost),
                RUN(what_a_database_has_is_not_told_of_any_more),
                RUN(nothing_is_written_behind_a_vote_that_is_not_on_the_disk),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
