/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "consensus/message-codec.h"
#include "master/group/lone.h"
#include "master/group/recent.h"
#include "scratch.h"
#include "store/entries/entry-log.h"

#define SECRET "0123456789abcdef"

Lone lone = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int __real_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);
int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        if (lone.disk_error == 0)
                return __real_entry_log_write(log, writes, n);
        lone.n_failed++;
        return lone.disk_error;
}

int __real_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);
int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);

int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote) {
        return lone.vote_error < 0 ? lone.vote_error : __real_entry_log_vote(log, term, vote);
}

void __real_recent_trim(Recent *recent, uint64_t index, uint64_t size);
void __wrap_recent_trim(Recent *recent, uint64_t index, uint64_t size);

void __wrap_recent_trim(Recent *recent, uint64_t index, uint64_t size) {
        __real_recent_trim(recent, index, size);
        lone.recent_max = MAX(lone.recent_max, recent->size);
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

void lone_enter(void) {
        assert_false(pthread_equal(pthread_self(), lone.thread));
        assert_non_null(lone.group);
        (void) pthread_mutex_lock(&lone.lock);
}

void lone_leave(void) {
        (void) pthread_cond_broadcast(&lone.changed);
        (void) pthread_mutex_unlock(&lone.lock);
}

static int on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        int r;

        lone_enter();
        lone.n_offered++;
        assert_int_equal(index, lone.told + 1);
        r = lone.take_error;
        if (r == 0) {
                lone.told = index;
                lone.n_decided += proposal != NULL;
                if (lone.asks)
                        assert_int_equal(group_probe(lone.group, TAKE_PTR(lone.asks)), 0);
        }
        lone_leave();
        return r;
}

static void on_refused(void *proposal, int error, void *userdata) {
        lone_enter();
        lone.n_refused++;
        lone.refusal = error;
        lone_leave();
}

static void on_view(const GroupView *now, void *userdata) {
        lone_enter();
        lone.n_lost += lone.view.leader > 0 && now->leader == 0;
        lone.view = *now;
        lone_leave();
        if (lone.follows && now->leader > 0)
                while (sem_wait(&lone.goes_on) < 0)
                        ;
}

static void on_fetch(uint64_t index, void *userdata) {
        abort();
}

static void on_broken(int error, void *userdata) {
        lone_enter();
        lone.broken = error;
        lone_leave();
}

void lone_start(uint64_t applied) {
        const Members alone = { 1, { { 1, MEMBER_VOTER, LONE_URL } } };
        const Members many = { 3,
                               { { 1, MEMBER_VOTER, LONE_URL },
                                 { 2, MEMBER_VOTER, LONE_URL },
                                 { 3, MEMBER_VOTER, LONE_URL } } };
        GroupOptions options = {
                .self = 1,
                .group = "a group",
                .seed = 1,
                .run = 1,
                .election_usec = lone.follows || lone.is_elected ? USEC_PER_HOUR
                                                                 : 10 * USEC_PER_MSEC,
                .heartbeat_usec = 3 * USEC_PER_MSEC,
                .peers = lone.peers,
                .dir_fd = lone.dir_fd,
                .new_log = 1,
                .segment_size = 64 * KIB,
                .applied = { .index = applied,
                             .term = applied > 0,
                             .members = lone.follows || lone.is_elected ? many : alone },
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_fetch = on_fetch,
                .on_broken = on_broken,
        };

        lone.view = (GroupView){};
        lone.told = applied;
        lone.n_offered = lone.n_decided = lone.n_refused = lone.n_changed = lone.n_lost = 0;
        lone.refusal = lone.change_error = lone.broken = 0;
        assert_int_equal(group_new(&options, &lone.group), 0);
}

int lone_setup(void **state) {
        lone.thread = pthread_self();
        lone.disk_error = lone.vote_error = lone.take_error = 0;
        lone.recent_max = 0;
        lone.n_failed = 0;
        lone.follows = lone.is_elected = false;
        assert_ok(sem_init(&lone.goes_on, 0, 0));
        lone.directory = scratch_new();
        lone.dir_fd = open(lone.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(lone.dir_fd);
        assert_ok(secret_new(SECRET, strlen(SECRET), &lone.secret));
        assert_ok(loops_new(1, &lone.loops));
        assert_ok(peers_new(
                        &(PeersOptions){ lone.loops, lone.secret, USEC_PER_HOUR }, &lone.peers));
        return 0;
}

int lone_teardown(void **state) {
        group_stop(lone.group); /* its last callbacks still find it */
        lone.peers = peers_free(lone.peers);
        lone.loops = loops_free(lone.loops);
        lone.group = group_free(lone.group);
        lone.secret = secret_free(lone.secret);
        closep(&lone.dir_fd);
        lone.directory = scratch_free(lone.directory);
        return 0;
}

void lone_propose_sized(size_t size) {
        static int proposal;
        Buffer data = {};

        while (data.size < size)
                buffer_put_u64(&data, 1);
        assert_ok(group_propose(lone.group, &data, &proposal));
}

void lone_propose(void) {
        lone_propose_sized(sizeof(uint64_t));
}

GroupStatus lone_status(void) {
        GroupStatus status;

        group_status(lone.group, &status);
        return status;
}

void lone_wait_for_commit(uint64_t index) {
        while (lone_status().commit < index)
                (void) usleep(100);
}

void lone_refuse(int error) {
        (void) pthread_mutex_lock(&lone.lock);
        lone.take_error = error;
        (void) pthread_mutex_unlock(&lone.lock);
}

void lone_take_again(void) {
        lone_refuse(0);
        group_ready(lone.group);
}

Handshake lone_other(uint64_t run) {
        return (Handshake){ .from = { .uuid = "a group\0\2", .run = run } };
}

void lone_hear(uint64_t run, const Message *message) {
        static uint64_t sequence;
        RpcRequest request = { .parties = { .from = lone_other(run).from,
                                            .sequence = ++sequence } };

        mail_begin("", &request.body);
        message_encode(message, &request.body);
        assert_int_equal(group_receive(lone.group, &request), 0);
        buffer_done(&request.body);
}
