/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values from files, whole and in parts, and what becomes of a reader when a bit flips. */

#include "volume/volume-world.h"

#include <errno.h>
#include <glob.h>

#include "core/blocks.h"
#include "core/call/wire.h"

#define SIZE (5 * BLOCK_SIZE + 1000)

typedef struct Answer {
        unsigned status;
        size_t size; /* of the body */
        const uint8_t *body;
        char *data; /* owned */
} Answer;

static void answer_done(Answer *answer) {
        free(answer->data);
}

static uint8_t *make_value(void) {
        uint8_t *value = malloc(SIZE);

        for (size_t i = 0; i < SIZE; i++)
                value[i] = (uint8_t) (i * 13 + i / 255);
        return value;
}

static int start_get(World *world, const Ticket *ticket, const char *more, const char *headers) {
        char request[8 * KIB];
        int fd = fixture_connect(&world->server);

        (void) snprintf(request, sizeof(request), "GET %.6000s%s HTTP/1.1\r\n" CLOSE "%s\r\n",
                        world_target(world, ticket, "key"), more, headers);
        send_text(fd, request);
        return fd;
}

static Answer end_get(int fd) {
        Answer answer = { .data = malloc(SIZE + 8 * KIB) };
        size_t size = receive_all(fd, answer.data, SIZE + 8 * KIB);
        const char *end = strstr(answer.data, "\r\n\r\n");

        assert_non_null(end);
        answer.status = (unsigned) atoi(answer.data + strlen("HTTP/1.1 "));
        answer.body = (const uint8_t *) end + 4;
        answer.size = size - (size_t) (end + 4 - answer.data);
        return answer;
}

static Answer get(World *world, const char *more, const char *headers) {
        Ticket ticket = world_ticket(world, TICKET_READ, 2);

        return end_get(start_get(world, &ticket, more, headers));
}

static Answer get_range(World *world, size_t first, size_t last) {
        char range[64];

        (void) snprintf(range, sizeof(range), "Range: bytes=%zu-%zu\r\n", first, last);
        return get(world, "", range);
}

/* Flips a bit of the only file. */
static void damage_at(World *world, uint64_t offset) {
        char pattern[512];
        glob_t files = {};

        (void) snprintf(pattern, sizeof(pattern), "%s/objects/*/*", world->directory);
        assert_int_equal(glob(pattern, 0, NULL, &files), 0);
        assert_int_equal(files.gl_pathc, 1);
        scratch_flip_bit(files.gl_pathv[0], offset);
        globfree(&files);
}

/* The master hears of damage to version 2, and says where that leaves readers. */
static void hear_damage(World *world, int answer) {
        Reader body = stand_in_receive(&world->master, CALL_DAMAGED);
        _cleanup_(buffer_done) Buffer reply = {};
        WireDamage damage;

        assert_int_equal(reader_get_u32(&body), WORLD_NUMBER);
        assert_ok(wire_get_damage(&body, &damage));
        assert_int_equal(damage.version, 2);
        assert_string_equal(damage.key, "key");
        wire_put_error(&reply, answer);
        stand_in_answer(&world->master, &reply);
}

TEST(a_whole_value_comes_as_it_was_stored) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Answer answer;

        world_put(world, 2, "key", value, SIZE);
        for (size_t i = 0; i < 2; i++) {
                answer = get(world, i == 0 ? "" : "&verify=1", "");
                assert_int_equal(answer.status, 200);
                assert_int_equal(answer.size, SIZE);
                assert_memory_equal(answer.body, value, SIZE);
                answer_done(&answer);
        }
}

TEST(parts_at_the_edges_of_blocks_come_as_they_were_stored) {
        static const struct {
                size_t first, last;
        } rows[] = {
                { 0, 0 },
                { 0, BLOCK_SIZE - 1 },
                { 0, BLOCK_SIZE },
                { BLOCK_SIZE - 1, BLOCK_SIZE - 1 },
                { BLOCK_SIZE - 1, BLOCK_SIZE },
                { BLOCK_SIZE, BLOCK_SIZE },
                { BLOCK_SIZE, 2 * BLOCK_SIZE - 1 },
                { BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 1 },
                { 2 * BLOCK_SIZE - 1, 4 * BLOCK_SIZE },
                { 5 * BLOCK_SIZE - 1, SIZE - 1 },
                { 5 * BLOCK_SIZE, SIZE - 1 },
                { SIZE - 1, SIZE - 1 },
                { 0, SIZE - 1 },
        };
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;

        world_put(world, 2, "key", value, SIZE);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Answer answer = get_range(world, rows[i].first, rows[i].last);
                char range[128];

                assert_int_equal(answer.status, 206);
                assert_int_equal(answer.size, rows[i].last - rows[i].first + 1);
                assert_memory_equal(answer.body, value + rows[i].first, answer.size);
                (void) snprintf(range, sizeof(range), "Content-Range: bytes %zu-%zu/%zu\r\n",
                                rows[i].first, rows[i].last, (size_t) SIZE);
                assert_contains(answer.data, range);
                answer_done(&answer);
        }
}

TEST(ranges_without_an_end_or_beyond_it) {
        static const struct {
                const char *range;
                unsigned status;
                size_t first, size;
        } rows[] = {
                { "bytes=-1", 206, SIZE - 1, 1 },
                { "bytes=-1000", 206, 5 * BLOCK_SIZE, 1000 },
                { "bytes=-99999999", 206, 0, SIZE },
                { "bytes=65536-", 206, BLOCK_SIZE, SIZE - BLOCK_SIZE },
                { "bytes=0-99999999", 206, 0, SIZE },
                { "bytes=328680-", 416, 0, 0 },
                { "bytes=99999999-", 416, 0, 0 },
                { "bytes=-0", 416, 0, 0 },
                { "bytes=5-4", 200, 0, SIZE },
                { "bytes=x", 200, 0, SIZE },
                { "pages=0-1", 200, 0, SIZE },
                { "bytes=0-0,2-3", 200, 0, SIZE },
        };
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;

        assert_int_equal(SIZE, 328680);
        world_put(world, 2, "key", value, SIZE);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char header[64];
                Answer answer;

                (void) snprintf(header, sizeof(header), "Range: %s\r\n", rows[i].range);
                answer = get(world, "", header);
                assert_int_equal(answer.status, rows[i].status);
                if (rows[i].status == 416)
                        assert_contains(answer.data, "Content-Range: bytes */328680\r\n");
                else {
                        assert_int_equal(answer.size, rows[i].size);
                        assert_memory_equal(answer.body, value + rows[i].first, answer.size);
                }
                answer_done(&answer);
        }
}

/* A reader sees no byte of it. */
TEST(a_damaged_block_ends_the_connection_before_it) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Answer answer;

        stand_in_listen(&world->master);
        world_put(world, 2, "key", value, SIZE);
        damage_at(world, 3 * BLOCK_SIZE + 5);
        answer = get(world, "", "");
        assert_int_equal(answer.status, 200);
        assert_contains(answer.data, "Content-Length: 328680\r\n"); /* so that it is seen as cut */
        assert_in_range(answer.size, 0, 3 * BLOCK_SIZE);
        assert_memory_equal(answer.body, value, answer.size);
        answer_done(&answer);
        hear_damage(world, 0);
}

TEST(parts_that_do_not_touch_the_damage_are_read) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Answer answer;

        stand_in_listen(&world->master);
        world_put(world, 2, "key", value, SIZE);
        damage_at(world, 3 * BLOCK_SIZE + 5);
        answer = get_range(world, 0, 3 * BLOCK_SIZE - 1);
        assert_int_equal(answer.size, 3 * BLOCK_SIZE);
        assert_memory_equal(answer.body, value, answer.size);
        answer_done(&answer);
        answer = get_range(world, 4 * BLOCK_SIZE, SIZE - 1);
        assert_int_equal(answer.size, SIZE - 4 * BLOCK_SIZE);
        assert_memory_equal(answer.body, value + 4 * BLOCK_SIZE, answer.size);
        answer_done(&answer);
}

/* Then no answer has begun, and there may be another copy. */
TEST(damage_in_the_first_block_sends_the_reader_back_to_the_master) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        Answer answer;
        int fd;

        stand_in_listen(&world->master);
        (void) snprintf(ticket.back, sizeof(ticket.back), "master.example:3000");
        world_put(world, 2, "key", value, SIZE);
        damage_at(world, 5);
        fd = start_get(world, &ticket, "", "");
        hear_damage(world, 0);
        answer = end_get(fd);
        assert_int_equal(answer.status, 307);
        assert_contains(answer.data, "Location: http://master.example:3000/key?again=1\r\n");
        answer_done(&answer);
}

TEST(the_first_block_of_a_part_counts_as_well) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        Answer answer;
        int fd;

        stand_in_listen(&world->master);
        world_put(world, 2, "key", value, SIZE);
        damage_at(world, 2 * BLOCK_SIZE);
        fd = start_get(world, &ticket, "", "Range: bytes=131073-131080\r\n");
        hear_damage(world, -EBADMSG); /* there is no other copy */
        answer = end_get(fd);
        assert_int_equal(answer.status, 502);
        assert_contains(answer.data, "This volume's copy of the value");
        answer_done(&answer);
}

TEST(whoever_wants_it_verified_hears_of_damage_anywhere) {
        static const uint64_t places[] = { 0, BLOCK_SIZE, 3 * BLOCK_SIZE + 7, SIZE - 1 };
        _cleanup_free_ uint8_t *value = make_value();

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                World *world;
                Ticket ticket;
                Answer answer;
                void *another;
                int fd;

                assert_int_equal(world_setup(&another), 0);
                world = another;
                ticket = world_ticket(world, TICKET_READ, 2);
                stand_in_listen(&world->master);
                world_put(world, 2, "key", value, SIZE);
                damage_at(world, places[i]);
                fd = start_get(world, &ticket, "&verify=1", "Range: bytes=0-0\r\n");
                hear_damage(world, -EBADMSG);
                answer = end_get(fd);
                assert_int_equal(answer.status, 502);
                answer_done(&answer);
                assert_int_equal(world_teardown(&another), 0);
        }
}

TEST(a_file_that_is_gone_or_cut_is_damage) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        char pattern[512];
        glob_t files = {};

        stand_in_listen(&world->master);
        world_put(world, 2, "key", value, SIZE);
        (void) snprintf(pattern, sizeof(pattern), "%s/objects/*/*", world->directory);
        assert_int_equal(glob(pattern, 0, NULL, &files), 0);
        for (size_t i = 0; i < 2; i++) {
                Answer answer;
                int fd;

                assert_ok(i == 0 ? truncate(files.gl_pathv[0], BLOCK_SIZE)
                                 : unlink(files.gl_pathv[0]));
                damage_forget(world->copies.damage, 2);
                fd = start_get(world, &ticket, "", "");
                hear_damage(world, -EBADMSG);
                answer = end_get(fd);
                assert_int_equal(answer.status, 502);
                answer_done(&answer);
        }
        globfree(&files);
}

/* Its place on the thread is free again. */
TEST(a_reader_that_goes_away_takes_nothing_along) {
        _cleanup_free_ uint8_t *value = make_value();
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 2);
        Answer answer;

        world_put(world, 2, "key", value, SIZE);
        for (unsigned i = 0; i < 20; i++) {
                char begin[16];
                int fd = start_get(world, &ticket, "", "");

                assert_true(recv(fd, begin, sizeof(begin), 0) > 0);
                close(fd);
        }
        answer = get(world, "", "");
        assert_int_equal(answer.size, SIZE);
        answer_done(&answer);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_whole_value_comes_as_it_was_stored),
                RUN(parts_at_the_edges_of_blocks_come_as_they_were_stored),
                RUN(ranges_without_an_end_or_beyond_it),
                RUN(a_damaged_block_ends_the_connection_before_it),
                RUN(parts_that_do_not_touch_the_damage_are_read),
                RUN(damage_in_the_first_block_sends_the_reader_back_to_the_master),
                RUN(the_first_block_of_a_part_counts_as_well),
                RUN(whoever_wants_it_verified_hears_of_damage_anywhere),
                RUN(a_file_that_is_gone_or_cut_is_damage),
                RUN(a_reader_that_goes_away_takes_nothing_along),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
