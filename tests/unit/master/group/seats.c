/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <semaphore.h>

#include "master/group/seats.h"
#include "rpc/gate.h"
#include "scratch.h"

#define SECRET "0123456789abcdef"

Seat seats[SEATS_MAX];
size_t n_seats;
atomic_uint seats_channels;
pthread_mutex_t seats_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t seats_changed = PTHREAD_COND_INITIALIZER;
unsigned seats_done, seats_refused;
int seats_refusal;
void (*seats_on_done)(uint64_t index, uint64_t hash);
SeatsConsumer seats_consumer;

static Members members; /* at the beginning */
static uint64_t n_runs;

static uint64_t hash_of(const Entry *entry) {
        const uint8_t *data = entry->data;
        uint64_t hash = entry->term * 31 + entry->type;

        for (uint32_t i = 0; i < entry->size; i++)
                hash = hash * 1099511628211 + data[i];
        return hash;
}

/* Whoever knows it knows the same. */
static void note_hash(Seat *seat, uint64_t index, uint64_t hash) {
        assert_true(index < ENTRIES_MAX);
        for (size_t i = 0; i < n_seats; i++)
                if (seats[i].hashes[index] != 0)
                        assert_true(seats[i].hashes[index] == hash);
        seat->hashes[index] = hash;
}

static void apply(Seat *seat, uint64_t index, const Entry *entry) {
        ConsensusApplied *applied = &seat->applied;

        if (index <= applied->index)
                return; /* it is in a database that was fetched */

        assert_true(index == applied->index + 1);
        applied->index = index;
        applied->term = entry->term;
        if (entry->type == ENTRY_MEMBERS) {
                assert_ok(members_decode(entry->data, entry->size, &applied->members));
                applied->members_index = index;
        }
}

static int on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;
        int r = 0;

        if (seats_consumer.on_decided)
                r = seats_consumer.on_decided(seat, index, entry, proposal);
        if (r < 0)
                return r;

        (void) pthread_mutex_lock(&seats_lock);
        note_hash(seat, index, hash_of(entry));
        seat->terms[index] = entry->term;
        apply(seat, index, entry);
        seats_done += proposal != NULL;
        if (proposal && seats_on_done)
                seats_on_done(index, seat->hashes[index]);
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
        return 0;
}

static void on_refused(void *proposal, int error, void *userdata) {
        (void) pthread_mutex_lock(&seats_lock);
        seats_refused++;
        seats_refusal = error;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
        if (seats_consumer.on_refused)
                seats_consumer.on_refused(userdata, proposal, error);
}

static void on_view(const GroupView *view, void *userdata) {
        Seat *seat = userdata;

        (void) pthread_mutex_lock(&seats_lock);
        assert_true(view->start <= seat->applied.index);
        if (view->start > 0)
                assert_true(seat->terms[view->start] == view->term &&
                            seat->terms[view->start - 1] < view->term);
        seat->view = *view;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
        if (seats_consumer.on_view)
                seats_consumer.on_view(seat, view);
}

static void on_fetch(uint64_t index, void *userdata) {
        Seat *seat = userdata;

        (void) pthread_mutex_lock(&seats_lock);
        seat->fetch = index;
        seat->n_fetches++;
        (void) pthread_cond_broadcast(&seats_changed);
        (void) pthread_mutex_unlock(&seats_lock);
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

        seats_channels++;
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
                .election_usec = seat->election_usec,
                .heartbeat_usec = SEATS_HEARTBEAT_USEC,
                .lease = seat->lease,
                .peers = seat->peers,
                .dir_fd = seat->dir_fd,
                .new_log = seat->id,
                .segment_size = 4 * KIB,
                .kept_size = 4 * KIB,
                .applied = seat->saved,
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_fetch = on_fetch,
                .on_broken = on_broken,
                .userdata = seat,
        };

        seat->applied = seat->saved;
        assert_ok(group_new(&options, &seat->group));
}

void seat_start(Seat *seat) {
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

void seat_stop(Seat *seat) {
        group_stop(seat->group);
        seat->server = http_server_free(seat->server);
        seat->peers = peers_free(seat->peers);
        seat->loops = loops_free(seat->loops);
        seat->caller_loops = loops_free(seat->caller_loops);
        seat->group = group_free(seat->group);
        seat->service = rpc_service_free(seat->service);
        seat->secret = secret_free(seat->secret);
        (void) pthread_mutex_lock(&seats_lock);
        seat->view = (GroupView){};
        seat->applied = seat->saved; /* what is behind that is told again */
        (void) pthread_mutex_unlock(&seats_lock);
}

static void add_seat(size_t i) {
        seats[i] = (Seat){ .id = i + 1,
                           .directory = scratch_new(),
                           .election_usec = SEATS_ELECTION_USEC };
        seats[i].listen_fd = service_listen("127.0.0.1:0");
        seats[i].dir_fd = open(seats[i].directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(seats[i].listen_fd);
        assert_ok(seats[i].dir_fd);
}

void seats_prepare(size_t n_members, size_t n_others) {
        members = (Members){ .n = n_members };
        seats_done = seats_refused = seats_channels = 0;
        seats_on_done = NULL;
        seats_consumer = (SeatsConsumer){};
        n_seats = n_members + n_others;
        assert_true(n_seats <= SEATS_MAX);
        for (size_t i = 0; i < n_seats; i++)
                add_seat(i);
        for (size_t i = 0; i < n_members; i++) {
                Member *member = members.member + i;

                *member = (Member){ .id = i + 1, .role = MEMBER_VOTER };
                (void) snprintf(member->url, sizeof(member->url), "http://127.0.0.1:%i",
                                service_port(seats[i].listen_fd));
        }
        for (size_t i = 0; i < n_members; i++)
                seats[i].saved.members = members;
}

void seats_end(void) {
        for (size_t i = 0; i < n_seats; i++) {
                if (seats[i].group)
                        seat_stop(seats + i);
                closep(&seats[i].listen_fd);
                closep(&seats[i].dir_fd);
                seats[i].directory = scratch_free(seats[i].directory);
        }
}

int seats_setup(void **state) {
        seats_prepare(3, 0);
        for (size_t i = 0; i < n_seats; i++)
                seat_start(seats + i);
        return 0;
}

int seats_teardown(void **state) {
        seats_end();
        return 0;
}

static Seat *find_leader(const Seat *other) {
        for (size_t i = 0; i < n_seats; i++)
                if (seats[i].view.start > 0 && seats + i != other && !seats[i].is_cut)
                        return seats + i;
        return NULL;
}

Seat *seats_wait_for_leader(const Seat *other) {
        Seat *leader;

        SEATS_WAIT_FOR((leader = find_leader(other)));
        return leader;
}

void seat_wait_for(const Seat *seat, uint64_t index) {
        SEATS_WAIT_FOR(seat->applied.index >= index);
}

void seats_wait_for(uint64_t index) {
        for (size_t i = 0; i < n_seats; i++)
                if (seats[i].group)
                        seat_wait_for(seats + i, index);
}

uint64_t seats_decide_sized(unsigned count, size_t size, const Seat *not_by) {
        static int proposal;
        const Seat *leader = NULL;
        uint64_t last;

        for (unsigned done = 0; done < count;) {
                Buffer data = {};
                unsigned before, refused;

                leader = seats_wait_for_leader(not_by);
                (void) pthread_mutex_lock(&seats_lock);
                before = seats_done;
                refused = seats_refused;
                (void) pthread_mutex_unlock(&seats_lock);
                while (data.size < size)
                        buffer_put_u64(&data, done);
                assert_ok(group_propose(leader->group, &data, &proposal));
                (void) pthread_mutex_lock(&seats_lock);
                while (seats_done == before && seats_refused == refused)
                        (void) pthread_cond_wait(&seats_changed, &seats_lock);
                done += seats_done - before;
                (void) pthread_mutex_unlock(&seats_lock);
        }
        (void) pthread_mutex_lock(&seats_lock);
        last = leader->applied.index;
        (void) pthread_mutex_unlock(&seats_lock);
        return last;
}

uint64_t seats_decide(unsigned count, const Seat *not_by) {
        return seats_decide_sized(count, 8, not_by);
}

void seat_save(Seat *seat) {
        (void) pthread_mutex_lock(&seats_lock);
        seat->saved = seat->applied;
        (void) pthread_mutex_unlock(&seats_lock);
}

/* What is asked for, and the answer. */
typedef struct Question {
        sem_t answered;
        int error;
        union {
                GroupProbe probe;
                GroupChange change;
                GroupTransfer transfer;
        };
} Question;

static int wait_for_answer(Question *question, int r) {
        if (r >= 0) {
                while (sem_wait(&question->answered) < 0)
                        ;
                r = question->error;
        }
        (void) sem_destroy(&question->answered);
        return r;
}

static void note_answer(Question *question, int error) {
        question->error = error;
        (void) sem_post(&question->answered);
}

static void on_probed(GroupProbe *probe, int error) {
        note_answer(CONTAINER_OF(probe, Question, probe), error);
}

static void on_change(GroupChange *change, int error) {
        note_answer(CONTAINER_OF(change, Question, change), error);
}

static void on_transfer(GroupTransfer *transfer, int error) {
        note_answer(CONTAINER_OF(transfer, Question, transfer), error);
}

int seat_probe(Seat *seat, uint64_t term) {
        Question question = { .probe = { .term = term, .done = on_probed } };

        assert_ok(sem_init(&question.answered, 0, 0));
        return wait_for_answer(&question, group_probe(seat->group, &question.probe));
}

int seat_change(Seat *seat, MemberChangeType type, const Seat *who) {
        Question question = { .change = { .change = { type, who->id, NULL }, .done = on_change } };
        char url[64];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", service_port(who->listen_fd));
        if (type == MEMBER_ADD)
                question.change.change.url = url;
        assert_ok(sem_init(&question.answered, 0, 0));
        return wait_for_answer(&question, group_change(seat->group, &question.change));
}

int seat_transfer(Seat *seat, const Seat *to) {
        Question question = { .transfer = { .to = to->id, .done = on_transfer } };

        assert_ok(sem_init(&question.answered, 0, 0));
        return wait_for_answer(&question, group_transfer(seat->group, &question.transfer));
}
