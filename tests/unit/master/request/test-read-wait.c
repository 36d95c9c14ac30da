/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Readers of a key that is just being written: they are told nothing before the flush, and keep no
 * thread of the server waiting until then. */

#include "test.h"

#include <fcntl.h>

#include "master/group/group.h"
#include "master/world.h"

/* More than the server has threads */
#define N_READERS 8

/* The committer, when a batch can be seen and is not on the disk. */
static sem_t is_held, may_go_on;

static void hold_up(void) {
        assert_ok(sem_post(&is_held));
        wait_for(&may_go_on);
}

static void hold(void) {
        world_settle();
        assert_ok(sem_init(&is_held, 0, 0));
        assert_ok(sem_init(&may_go_on, 0, 0));
        world.index->tables.environment->options.before_done = hold_up;
}

static void let_go(void) {
        world.index->tables.environment->options.before_done = NULL;
        assert_ok(sem_post(&may_go_on));
}

static int begin(const char *method, const char *target, const char *headers, const char *body) {
        char request[4 * KIB];
        int fd = fixture_connect(&world.master);

        (void) snprintf(request, sizeof(request),
                        "%s %s HTTP/1.1\r\nHost: test\r\n%sContent-Length: %zu\r\n\r\n%s", method,
                        target, headers, strlen(body), body);
        send_text(fd, request);
        return fd;
}

/* Begins a write, and returns when it can be seen. */
static int begin_write(const char *method, const char *target, const char *body) {
        int fd;

        hold();
        fd = begin(method, target, "Connection: close\r\n", body);
        wait_for(&is_held);
        return fd;
}

static bool has_answer(int fd) {
        char byte;

        return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static const char *answer_of(int fd) {
        static char answer[16 * KIB];

        (void) receive_all(fd, answer, sizeof(answer));
        return answer;
}

static void begin_readers(const char *method, const char *target, int fds[static N_READERS]) {
        for (size_t i = 0; i < N_READERS; i++)
                fds[i] = begin(method, target, "Connection: close\r\n", "");
}

TEST(who_reads_what_is_being_written_waits_alone) {
        int writer, fds[N_READERS], heads[N_READERS], where;

        assert_status(put("/other", "value"), 201);
        writer = begin_write("PUT", "/k", "value");
        begin_readers("GET", "/k", fds);
        begin_readers("HEAD", "/k", heads);
        where = begin("GET", "/-/where/k", "Connection: close\r\n", "");

        for (size_t i = 0; i < N_READERS; i++)
                assert_status(get("/other"), 307);
        for (size_t i = 0; i < N_READERS; i++) {
                assert_false(has_answer(fds[i]));
                assert_false(has_answer(heads[i]));
        }
        assert_false(has_answer(where));
        assert_false(has_answer(writer));

        let_go();
        assert_status(answer_of(writer), 201);
        for (size_t i = 0; i < N_READERS; i++) {
                assert_status(answer_of(fds[i]), 307);
                assert_status(answer_of(heads[i]), 200);
        }
        assert_status(answer_of(where), 200);
}

TEST(that_nothing_is_there_is_told_after_the_flush_as_well) {
        int writer, fds[N_READERS];

        assert_status(put("/k", "value"), 201);
        writer = begin_write("DELETE", "/k", "");
        begin_readers("GET", "/k", fds);
        assert_status(get("/other"), 404);
        assert_false(has_answer(fds[0]));
        let_go();
        assert_status(answer_of(writer), 204);
        for (size_t i = 0; i < N_READERS; i++)
                assert_status(answer_of(fds[i]), 404);
}

TEST(answers_come_in_the_order_of_the_requests) {
        int writer, fd;
        const char *answer;

        assert_status(put("/other", "value"), 201);
        writer = begin_write("PUT", "/k", "value");
        fd = begin("GET", "/k", "", "");
        send_text(fd, "HEAD /other HTTP/1.1\r\n" CLOSE "\r\n");
        assert_status(get("/other"), 307);
        assert_false(has_answer(fd));
        let_go();
        assert_status(answer_of(writer), 201);
        answer = answer_of(fd);
        assert_status(answer, 307);
        assert_contains(answer, "HTTP/1.1 200 OK");
}

TEST(conditions_and_values_through_the_master_wait_as_well) {
        int writer, proxied, unmatched;

        writer = begin_write("PUT", "/k", "value");
        proxied = begin("GET", "/k?proxy=1", "Connection: close\r\n", "");
        unmatched = begin("GET", "/k", "Connection: close\r\nIf-None-Match: *\r\n", "");
        assert_status(get("/other"), 404);
        assert_false(has_answer(proxied));
        assert_false(has_answer(unmatched));
        let_go();
        assert_status(answer_of(writer), 201);
        assert_string_equal(body_of(answer_of(proxied)), "value");
        assert_status(answer_of(unmatched), 304);
}

TEST(a_write_whose_condition_cannot_be_told_yet_is_decided_by_its_commit) {
        int writer, fds[N_READERS];

        writer = begin_write("PUT", "/k", "value");
        for (size_t i = 0; i < N_READERS; i++)
                fds[i] = begin("PUT", "/k", "Connection: close\r\nIf-None-Match: *\r\n", "other");
        assert_status(get("/other"), 404);
        let_go();
        assert_status(answer_of(writer), 201);
        for (size_t i = 0; i < N_READERS; i++)
                assert_status(answer_of(fds[i]), 412);
}

/* A group in which this master follows, and hears nobody. */
typedef struct Others {
        char *directory;
        int dir_fd;
        Loops *loops;
        Peers *peers;
        Group *group;
} Others;

static int on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        abort();
}

static void on_refused(void *proposal, int error, void *userdata) {
        abort();
}

static void on_view(const GroupView *view, void *userdata) {
}

static void on_fetch(uint64_t index, void *userdata) {
        abort();
}

static void on_broken(int error, void *userdata) {
        abort();
}

static void others_begin(Others *others) {
        const Members members = { 2,
                                  { { 1, MEMBER_VOTER, "http://127.0.0.1:1" },
                                    { 2, MEMBER_VOTER, "http://127.0.0.1:1" } } };
        PeersOptions peers = { .secret = world.secret, .timeout_usec = NO_TIMEOUT };

        others->directory = scratch_new();
        others->dir_fd = open(others->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(others->dir_fd);
        assert_ok(loops_new(1, &others->loops));
        peers.loops = others->loops;
        assert_ok(peers_new(&peers, &others->peers));
        assert_ok(group_new(
                        &(GroupOptions){
                                        .self = 1,
                                        .group = "a group",
                                        .seed = 1,
                                        .run = 1,
                                        .election_usec = USEC_PER_HOUR,
                                        .heartbeat_usec = USEC_PER_SEC,
                                        .peers = others->peers,
                                        .dir_fd = others->dir_fd,
                                        .new_log = 1,
                                        .segment_size = 64 * KIB,
                                        .applied.members = members,
                                        .on_decided = on_decided,
                                        .on_refused = on_refused,
                                        .on_view = on_view,
                                        .on_fetch = on_fetch,
                                        .on_broken = on_broken,
                        },
                        &others->group));
        world.requests.group = others->group;
}

static void others_end(Others *others) {
        world.requests.group = NULL;
        group_stop(others->group);
        others->peers = peers_free(others->peers);
        others->loops = loops_free(others->loops);
        others->group = group_free(others->group);
        closep(&others->dir_fd);
        others->directory = scratch_free(others->directory);
}

TEST(one_of_several_masters_asks_the_others_after_the_flush) {
        int writer, fds[N_READERS], heads[N_READERS], unmatched;
        Others others;

        others_begin(&others);
        writer = begin_write("PUT", "/k", "value");
        begin_readers("GET", "/k", fds);
        begin_readers("HEAD", "/k", heads);
        unmatched = begin("GET", "/k", "Connection: close\r\nIf-None-Match: *\r\n", "");
        assert_status(get("/other"), 503); /* the others are asked about that at once */
        assert_false(has_answer(fds[0]));
        let_go();
        assert_status(answer_of(writer), 201);
        for (size_t i = 0; i < N_READERS; i++) {
                assert_status(answer_of(fds[i]), 503);
                assert_status(answer_of(heads[i]), 503);
        }
        assert_status(answer_of(unmatched), 503);
        others_end(&others);
}

TEST(a_reader_that_goes_away_takes_nothing_with_it) {
        int writer, fds[N_READERS];

        writer = begin_write("PUT", "/k", "value");
        begin_readers("GET", "/k", fds);
        assert_status(get("/other"), 404);
        for (size_t i = 0; i < N_READERS; i++)
                close(fds[i]);
        let_go();
        assert_status(answer_of(writer), 201);
        assert_status(get("/k"), 307);
}

TEST(a_server_that_stops_does_not_wait_for_the_flush) {
        IndexDelete deletion = { .request.done = scratch_answered, .key = "k" };
        int fds[N_READERS];

        assert_status(put("/k", "value"), 201);
        hold();
        index_delete(world.index, &deletion);
        wait_for(&is_held);
        begin_readers("GET", "/k", fds);
        assert_status(get("/other"), 404);
        fixture_stop(&world.master);
        for (size_t i = 0; i < N_READERS; i++)
                assert_status(answer_of(fds[i]), 503);
        let_go();
        assert_int_equal(scratch_wait(), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(who_reads_what_is_being_written_waits_alone),
                RUN(that_nothing_is_there_is_told_after_the_flush_as_well),
                RUN(answers_come_in_the_order_of_the_requests),
                RUN(conditions_and_values_through_the_master_wait_as_well),
                RUN(a_write_whose_condition_cannot_be_told_yet_is_decided_by_its_commit),
                RUN(one_of_several_masters_asks_the_others_after_the_flush),
                RUN(a_reader_that_goes_away_takes_nothing_with_it),
                RUN(a_server_that_stops_does_not_wait_for_the_flush),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
