/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a group of masters begins, and what must not become a member of it. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/seat/founding.h"
#include "master/seat/seat-file.h"
#include "scratch.h"
#include "store/index/group.h"
#include "store/index/identity.h"

#define URLS "http://a:1,http://b:1,http://c:1"

typedef struct Scene {
        char *first, *second, *seeds;
} Scene;

static int setup(void **state) {
        static Scene scene;

        scene = (Scene){ scratch_new(), scratch_new(), scratch_new() };
        *state = &scene;
        return 0;
}

static int teardown(void **state) {
        Scene *scene = *state;

        scene->first = scratch_free(scene->first);
        scene->second = scratch_free(scene->second);
        scene->seeds = scratch_free(scene->seeds);
        return 0;
}

static int open_seed(Scene *scene, int flags) {
        int fd = open(scratch_path(scene->seeds, "seed"), flags | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        return fd;
}

static int found(Scene *scene, const char *urls) {
        IndexOptions options = { .directory = scene->first };
        int fd = open_seed(scene, O_CREAT | O_TRUNC | O_WRONLY), r;

        r = founding_found(&options, urls, fd);
        (void) close(fd);
        return r;
}

static int join(Scene *scene, uint64_t number) {
        IndexOptions options = { .directory = scene->second };
        int fd = open_seed(scene, O_RDONLY), r;

        r = founding_join(&options, number, fd);
        (void) close(fd);
        return r;
}

static int propose(Buffer *entry, void *proposal, void *userdata) {
        return -ESHUTDOWN;
}

static void on_ready(void *userdata) {
}

static void on_broken(int error, void *userdata) {
        fail();
}

static Index *open_member(const char *directory) {
        const IndexGroup group = { propose, on_ready, on_broken, NULL };
        IndexOptions options = { .directory = directory, .group = &group };
        Index *index;

        assert_ok(index_open(&options, &index));
        return index;
}

TEST(all_members_begin_with_the_same_index_of_the_same_group) {
        Scene *scene = *state;
        ConsensusApplied first, second;
        SeatFile one, two;
        Index *a, *b;
        uint64_t on_disk;

        assert_ok(found(scene, URLS));
        assert_ok(join(scene, 3));
        assert_ok(seat_file_read(scene->first, &one));
        assert_ok(seat_file_read(scene->second, &two));
        assert_memory_equal(one.group, two.group, sizeof(one.group));
        assert_int_equal(one.self, 1);
        assert_int_equal(two.self, 3);
        assert_false(one.has_log || two.has_log);

        a = open_member(scene->first);
        b = open_member(scene->second);
        assert_true(cluster_id_equal(index_identity(a)->cluster, index_identity(b)->cluster));
        index_applied(a, &first, &on_disk);
        index_applied(b, &second, &on_disk);
        assert_int_equal(first.index, second.index);
        assert_int_equal(first.term, second.term);
        assert_int_equal(second.members.n, 3);
        assert_string_equal(members_find(&second.members, 3)->url, "http://c:1");
        assert_true(members_is_voter(&second.members, 2));
        (void) index_free(a);
        (void) index_free(b);
}

TEST(two_groups_are_never_the_same) {
        Scene *scene = *state;
        SeatFile one, two;

        assert_ok(found(scene, URLS));
        assert_ok(seat_file_read(scene->first, &one));
        scene->first = scratch_free(scene->first);
        scene->first = scratch_new();
        assert_ok(found(scene, URLS));
        assert_ok(seat_file_read(scene->first, &two));
        assert_memory_not_equal(one.group, two.group, sizeof(one.group));
}

TEST(what_can_be_no_group_is_refused_before_anything_has_changed) {
        Scene *scene = *state;
        SeatFile file;

        assert_int_equal(found(scene, "http://a:1,http://b:1"), -EINVAL);
        assert_int_equal(found(scene, "http://a:1,http://a:1,http://b:1"), -EINVAL);
        assert_int_equal(found(scene, "a:1,b:1,c:1,d:1,e:1,f:1,g:1"), -EINVAL);
        assert_int_equal(found(scene, ""), -EINVAL);
        assert_int_equal(seat_file_read(scene->first, &file), -ENOENT);
        assert_int_equal(rmdir(scene->first), 0);
}

TEST(founding_may_be_repeated_until_the_first_start) {
        Scene *scene = *state;
        SeatFile before, after;

        assert_ok(found(scene, URLS));
        assert_ok(seat_file_read(scene->first, &before));
        assert_ok(found(scene, URLS));
        assert_ok(seat_file_read(scene->first, &after));
        assert_memory_equal(before.group, after.group, sizeof(before.group));
        assert_ok(join(scene, 2));

        before.has_log = true;
        assert_ok(seat_file_write(scene->first, &before));
        assert_int_equal(found(scene, URLS), -EEXIST);
}

/* A mistyped address, which those who have joined by then must not share a group with. */
TEST(founding_may_be_repeated_with_other_masters_as_another_group) {
        Scene *scene = *state;
        ConsensusApplied applied;
        SeatFile before, after;
        Index *index;
        uint64_t on_disk;

        assert_ok(found(scene, "http://a:1"));
        assert_ok(seat_file_read(scene->first, &before));
        assert_ok(found(scene, "http://a:1,http://b:1,http://z:1"));
        assert_ok(found(scene, URLS));
        assert_ok(seat_file_read(scene->first, &after));
        assert_memory_not_equal(before.group, after.group, sizeof(before.group));

        assert_ok(join(scene, 3));
        index = open_member(scene->second);
        index_applied(index, &applied, &on_disk);
        assert_string_equal(members_find(&applied.members, 3)->url, "http://c:1");
        (void) index_free(index);
        assert_ok(seat_file_read(scene->second, &before));
        assert_memory_equal(before.group, after.group, sizeof(before.group));
}

TEST(a_master_that_runs_stays_alone) {
        Scene *scene = *state;
        IndexOptions options = { .directory = scene->first };
        SeatFile file;
        Index *index;

        assert_ok(index_open(&options, &index));
        assert_int_equal(found(scene, URLS), -EBUSY);
        assert_int_equal(seat_file_read(scene->first, &file), -ENOENT);
        (void) index_free(index);
        assert_ok(index_open(&options, &index));
        (void) index_free(index);
        assert_ok(found(scene, URLS));
}

TEST(who_has_lost_its_seat_founds_no_group) {
        Scene *scene = *state;
        SeatFile file;

        assert_ok(found(scene, URLS));
        assert_ok(unlink(scratch_path(scene->first, SEAT_FILE)));
        assert_int_equal(found(scene, URLS), -ENOENT);
        assert_int_equal(seat_file_read(scene->first, &file), -ENOENT);
}

/* A crash between the two steps. */
TEST(a_group_without_its_index_is_finished_by_the_next_attempt) {
        Scene *scene = *state;

        assert_ok(seat_file_write(scene->first, &(SeatFile){ .group = "x", .self = 1 }));
        assert_ok(found(scene, URLS));
        assert_ok(join(scene, 2));
}

TEST(who_has_anything_does_not_join) {
        Scene *scene = *state;
        Index *index;

        assert_ok(found(scene, URLS));
        assert_ok(index_open(&(IndexOptions){ .directory = scene->second }, &index));
        (void) index_free(index);
        assert_int_equal(join(scene, 2), -ENOTEMPTY);
        scene->second = scratch_free(scene->second);
        scene->second = scratch_new();
        assert_ok(join(scene, 2));
        assert_int_equal(join(scene, 2), -ENOTEMPTY);
        assert_int_equal(join(scene, 3), -ENOTEMPTY);
}

TEST(a_number_is_one_of_the_group_s_and_not_that_of_the_first) {
        Scene *scene = *state;
        SeatFile file;

        assert_ok(found(scene, URLS));
        assert_int_equal(join(scene, 1), -EEXIST);
        assert_int_equal(join(scene, 4), -ENOENT);
        assert_int_equal(seat_file_read(scene->second, &file), -ENOENT);
}

TEST(what_is_cut_or_damaged_is_refused) {
        Scene *scene = *state;
        int fd;

        assert_ok(found(scene, URLS));
        fd = open_seed(scene, O_RDWR);
        assert_int_equal(pwrite(fd, "X", 1, 60), 1);
        assert_true(join(scene, 2) < 0);
        assert_ok(ftruncate(fd, 20));
        assert_int_equal(join(scene, 2), -EBADMSG);
        assert_ok(ftruncate(fd, 0));
        assert_int_equal(join(scene, 2), -EBADMSG);
        (void) close(fd);
        assert_int_equal(rmdir(scene->second), 0); /* nothing is left of it */
        assert_ok(found(scene, URLS));
        assert_ok(join(scene, 2));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(all_members_begin_with_the_same_index_of_the_same_group),
                RUN(two_groups_are_never_the_same),
                RUN(what_can_be_no_group_is_refused_before_anything_has_changed),
                RUN(founding_may_be_repeated_until_the_first_start),
                RUN(founding_may_be_repeated_with_other_masters_as_another_group),
                RUN(a_master_that_runs_stays_alone),
                RUN(who_has_lost_its_seat_founds_no_group),
                RUN(a_group_without_its_index_is_finished_by_the_next_attempt),
                RUN(who_has_anything_does_not_join),
                RUN(a_number_is_one_of_the_group_s_and_not_that_of_the_first),
                RUN(what_is_cut_or_damaged_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
