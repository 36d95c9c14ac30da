/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Three members in one process, with real sockets and real logs: what is proposed is decided by
 * all, whoever is stopped, cut off or started again. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "http/http.h"
#include "master/group/group.h"
#include "rpc/gate.h"
#include "rpc/rpc-service.h"
#include "scratch.h"

#define SECRET      "0123456789abcdef"
#define N           ((size_t) 3)
#define ENTRIES_MAX 4096

typedef struct Seat {
        uint64_t id;
        int listen_fd; /* stays open, so that the port stays the same */
        char *directory;
        int dir_fd;
        Loops *loops, *caller_loops;
        Secret *secret;
        Peers *peers;
        RpcService *service;
        HttpServer *server;
        Group *group;
        atomic_bool is_cut;

        /* with the lock */
        GroupView view;
        uint64_t hashes[ENTRIES_MAX]; /* of what was decided, by index, over all its processes */
        uint64_t decided;
} Seat;

static Seat seats[N];
static Members members;
static uint64_t n_runs;
static atomic_uint n_channels; /* that were opened */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned n_done, n_refused; /* proposals, with the lock */

typedef struct Acknowledged {
        uint64_t index, hash;
} Acknowledged;

static int acknowledge_fd = -1; /* in a process that is to be killed */

static void acknowledge(uint64_t index, uint64_t hash) {
        const Acknowledged record = { index, hash };

        assert_int_equal(write(acknowledge_fd, &record, sizeof(record)), sizeof(record));
}

static uint64_t hash_of(const Entry *entry) {
        const uint8_t *data = entry->data;
        uint64_t hash = entry->term * 31 + entry->type;

        for (uint32_t i = 0; i < entry->size; i++)
                hash = hash * 1099511628211 + data[i];
        return hash;
}

static void on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;

        (void) pthread_mutex_lock(&lock);
        assert_true(index < ENTRIES_MAX);
        for (size_t i = 0; i < N; i++) /* whoever knows it knows the same */
                if (seats[i].hashes[index] != 0)
                        assert_true(seats[i].hashes[index] == hash_of(entry));
        seat->hashes[index] = hash_of(entry);
        seat->decided = index;
        n_done += proposal != NULL;
        if (proposal && acknowledge_fd >= 0)
                acknowledge(index, seat->hashes[index]);
        (void) pthread_cond_broadcast(&changed);
        (void) pthread_mutex_unlock(&lock);
}

static void on_refused(void *proposal, int error, void *userdata) {
        (void) pthread_mutex_lock(&lock);
        n_refused++;
        (void) pthread_cond_broadcast(&changed);
        (void) pthread_mutex_unlock(&lock);
}

static void on_view(const GroupView *view, void *userdata) {
        Seat *seat = userdata;

        (void) pthread_mutex_lock(&lock);
        seat->view = *view;
        (void) pthread_cond_broadcast(&changed);
        (void) pthread_mutex_unlock(&lock);
}

static void on_fetch(uint64_t index, void *userdata) {
        abort();
}

static void on_broken(int error, void *userdata) {
        abort();
}

static int admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        const Seat *seat = userdata;

        return group_admit(seat->group, offer, answer);
}

static void on_opened(const Handshake *offer, void *userdata) {
        const Seat *seat = userdata;

        n_channels++;
        group_connected(seat->group, offer);
}

static void on_closed(const Handshake *offer, void *userdata) {
        const Seat *seat = userdata;

        if (seat->group)
                group_disconnected(seat->group, offer);
}

/* What would come from or go to who is cut off gets lost. */
static int receive(RpcRequest *request) {
        Seat *seat = rpc_request_userdata(request);
        uint8_t from = rpc_request_parties(request)->from.uuid[8];

        if (seat->is_cut || seats[from - 1].is_cut)
                return rpc_request_reply(request, NULL, NULL);
        return group_receive(seat->group, request);
}

static int open_route(HttpRequest *request) {
        const Seat *seat = http_request_userdata(request);

        return rpc_service_open(seat->service, request);
}

static void start_group(Seat *seat) {
        GroupOptions options = {
                .self = seat->id,
                .group = "a group",
                .cluster = "a cluster",
                .seed = seat->id,
                .run = ++n_runs,
                .election_usec = 150 * USEC_PER_MSEC,
                .heartbeat_usec = 30 * USEC_PER_MSEC,
                .peers = seat->peers,
                .dir_fd = seat->dir_fd,
                .new_log = seat->id,
                .segment_size = 64 * KIB,
                .applied.members = members,
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_fetch = on_fetch,
                .on_broken = on_broken,
                .userdata = seat,
        };

        assert_ok(group_new(&options, &seat->group));
}

static void start(Seat *seat) {
        static const RpcHandler handlers[_CALL_MAX] = { [CALL_GROUP] = { .finish = receive } };
        static const HttpRoute routes[] = { RPC_SERVICE_ROUTE(open_route), {} };
        RpcServiceOptions service = {
                .handlers = handlers,
                .userdata = seat,
                .admit = admit,
                .on_opened = on_opened,
                .on_closed = on_closed,
        };
        HttpServerOptions server = {
                .listen_fd = fcntl(seat->listen_fd, F_DUPFD_CLOEXEC, 3),
                .connections_max = 100,
                .header_max = 8 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
                .userdata = seat,
        };

        assert_ok(secret_new(SECRET, strlen(SECRET), &seat->secret));
        assert_ok(loops_new(1, &seat->loops));
        assert_ok(loops_new(1, &seat->caller_loops));
        assert_ok(
                        peers_new(&(PeersOptions){ .loops = seat->caller_loops,
                                                   .secret = seat->secret,
                                                   .timeout_usec = NO_TIMEOUT },
                                  &seat->peers));
        start_group(seat);
        service.secret = seat->secret;
        assert_ok(rpc_service_new(&service, &seat->service));
        server.loops = seat->loops;
        server.gate = gate_of(seat->secret);
        assert_ok(http_server_new(&server, &seat->server));
}

static void stop(Seat *seat) {
        group_stop(seat->group);
        seat->server = http_server_free(seat->server);
        seat->peers = peers_free(seat->peers);
        seat->loops = loops_free(seat->loops);
        seat->caller_loops = loops_free(seat->caller_loops);
        seat->group = group_free(seat->group);
        seat->service = rpc_service_free(seat->service);
        seat->secret = secret_free(seat->secret);
        (void) pthread_mutex_lock(&lock);
        seat->view = (GroupView){};
        seat->decided = 0; /* it is told again */
        (void) pthread_mutex_unlock(&lock);
}

static int prepare(void **state) {
        members = (Members){ .n = N };
        n_done = n_refused = n_channels = 0;
        for (size_t i = 0; i < N; i++) {
                Member *member = members.member + i;

                seats[i] = (Seat){ .id = i + 1, .directory = scratch_new() };
                seats[i].listen_fd = service_listen("127.0.0.1:0");
                seats[i].dir_fd = open(seats[i].directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_ok(seats[i].listen_fd);
                assert_ok(seats[i].dir_fd);
                *member = (Member){ .id = i + 1, .role = MEMBER_VOTER };
                (void) snprintf(member->url, sizeof(member->url), "http://127.0.0.1:%i",
                                service_port(seats[i].listen_fd));
        }
        return 0;
}

static int setup(void **state) {
        (void) prepare(state);
        for (size_t i = 0; i < N; i++)
                start(seats + i);
        return 0;
}

static int teardown(void **state) {
        for (size_t i = 0; i < N; i++) {
                if (seats[i].group)
                        stop(seats + i);
                closep(&seats[i].listen_fd);
                closep(&seats[i].dir_fd);
                seats[i].directory = scratch_free(seats[i].directory);
        }
        return 0;
}

/* Waits for one that leads, and is not OTHER. */
static Seat *wait_for_leader(const Seat *other) {
        Seat *leader = NULL;

        (void) pthread_mutex_lock(&lock);
        for (;;) {
                for (size_t i = 0; i < N; i++)
                        if (seats[i].view.role == CONSENSUS_LEADER && seats + i != other &&
                            !seats[i].is_cut)
                                leader = seats + i;
                if (leader)
                        break;
                (void) pthread_cond_wait(&changed, &lock);
        }
        (void) pthread_mutex_unlock(&lock);
        return leader;
}

static void wait_for_decided(const Seat *seat, uint64_t index) {
        (void) pthread_mutex_lock(&lock);
        while (seat->decided < index)
                (void) pthread_cond_wait(&changed, &lock);
        (void) pthread_mutex_unlock(&lock);
}

/* Has COUNT entries decided, by whoever leads meanwhile. Returns how many there are. */
static uint64_t decide(unsigned count, const Seat *not_by) {
        static int proposal;
        const Seat *leader = NULL;
        uint64_t last;

        for (unsigned done = 0; done < count;) {
                Buffer data = {};
                unsigned before, refused;

                leader = wait_for_leader(not_by);
                (void) pthread_mutex_lock(&lock);
                before = n_done;
                refused = n_refused;
                (void) pthread_mutex_unlock(&lock);
                buffer_put_u64(&data, done);
                assert_ok(group_propose(leader->group, &data, &proposal));
                (void) pthread_mutex_lock(&lock);
                while (n_done == before && n_refused == refused)
                        (void) pthread_cond_wait(&changed, &lock);
                done += n_done - before;
                (void) pthread_mutex_unlock(&lock);
        }
        (void) pthread_mutex_lock(&lock);
        last = leader->decided;
        (void) pthread_mutex_unlock(&lock);
        return last;
}

static void wait_for_all(uint64_t index) {
        for (size_t i = 0; i < N; i++)
                wait_for_decided(seats + i, index);
}

TEST(what_is_proposed_is_decided_by_all) {
        wait_for_all(decide(50, NULL));
}

/* A new one would mean that an old one was closed: a leader that is lost, to who follows it. */
TEST(members_keep_the_channels_that_they_have) {
        wait_for_all(decide(50, NULL));
        assert_true(n_channels <= N * (N - 1));
}

TEST(a_member_that_was_stopped_catches_up) {
        Seat *leader = wait_for_leader(NULL), *other = seats + (leader->id % N);
        uint64_t last;

        (void) decide(10, NULL);
        stop(other);
        last = decide(50, other);
        start(other);
        wait_for_decided(other, last);
        wait_for_all(decide(1, NULL));
}

TEST(another_one_leads_when_the_leader_is_stopped) {
        Seat *leader = wait_for_leader(NULL);
        uint64_t last;

        (void) decide(10, NULL);
        stop(leader);
        last = decide(10, leader);
        start(leader);
        wait_for_all(last);
}

TEST(another_one_leads_when_the_leader_is_cut_off) {
        Seat *leader = wait_for_leader(NULL);
        uint64_t last;

        (void) decide(10, NULL);
        leader->is_cut = true;
        last = decide(10, leader);
        leader->is_cut = false;
        wait_for_all(last);
        wait_for_all(decide(1, NULL));
}

TEST(what_was_decided_is_there_when_all_were_stopped) {
        uint64_t last = decide(50, NULL);

        wait_for_all(last);
        for (size_t i = 0; i < N; i++)
                stop(seats + i);
        for (size_t i = 0; i < N; i++)
                start(seats + i);
        wait_for_all(last);
        wait_for_all(decide(1, NULL));
}

/* All three, at once. */
static pid_t start_process(int fds[static 2]) {
        pid_t pid;

        assert_ok(pipe2(fds, O_CLOEXEC));
        pid = fork();
        assert_ok(pid);
        if (pid > 0) {
                (void) close(fds[1]);
                return pid;
        }

        acknowledge_fd = fds[1];
        for (size_t i = 0; i < N; i++)
                start(seats + i);
        (void) decide(ENTRIES_MAX / 2, NULL);
        for (;;)
                (void) pause();
}

TEST(what_was_acknowledged_survives_that_all_are_killed) {
        static Acknowledged records[ENTRIES_MAX];
        size_t n = 0;
        int fds[2], status;
        pid_t pid = start_process(fds);

        while (read(fds[0], records + n, sizeof(*records)) == sizeof(*records))
                if (++n == 100)
                        assert_ok(kill(pid, SIGKILL)); /* what it has told until then counts, too */
        assert_true(n >= 100);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        (void) close(fds[0]);

        for (size_t i = 0; i < N; i++)
                start(seats + i);
        wait_for_all(records[n - 1].index);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < N; j++)
                        assert_true(seats[j].hashes[records[i].index] == records[i].hash);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_proposed_is_decided_by_all),
                RUN(members_keep_the_channels_that_they_have),
                RUN(a_member_that_was_stopped_catches_up),
                RUN(another_one_leads_when_the_leader_is_stopped),
                RUN(another_one_leads_when_the_leader_is_cut_off),
                RUN(what_was_decided_is_there_when_all_were_stopped),
                cmocka_unit_test_setup_teardown(
                                what_was_acknowledged_survives_that_all_are_killed, prepare,
                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
