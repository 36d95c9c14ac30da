/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/copy/copy-fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "small-disk.h"
#include "store/copy/copy-verify.h"
#include "store/disk/disk.h"
#include "store/disk/replacement.h"

/* A copy of 200 steps or a few more, as a stream; most of them in the log. */
static Buffer recording;
static CopyPosition last_piece;
static uint32_t last_file;

static void record(void) {
        char *directory = scratch_new();
        Store store = open_store(directory);
        CopySource *source;

        run_steps(&store, 150);
        source = begin_copy(&store);
        CHECK(copy_source_connect(source, (CopyPosition){}, &recording) == 0);
        run_steps(&store, 25);
        while (copy_source_next(source, &recording) > 0)
                if (counter_of(&store) < 200)
                        run_steps(&store, 5);
        CHECK(buffer_error(&recording) == 0);
        source = copy_source_free(source);
        close_store(&store);
        directory = scratch_free(directory);
}

#define OLD 7 /* steps of what is there before */

static void make_old(const char *directory) {
        Store store = open_store(directory);

        run_steps(&store, OLD);
        close_store(&store);
}

static int setup(void **state) {
        *state = scratch_new();
        make_old(*state);
        return 0;
}

static int teardown(void **state) {
        scratch_free(*state);
        return 0;
}

static bool has_file(const char *directory, const char *name) {
        return access(scratch_path(directory, name), F_OK) >= 0;
}

/* What is left of the stream, altered. */
typedef struct Alteration {
        void (*alter)(CopyPosition position, uint8_t *data, size_t size);
        Buffer stream;
        uint64_t id;
} Alteration;

static int alter_head(void *userdata, const CopyHead *head) {
        Alteration *alteration = userdata;

        alteration->id = head->id;
        copy_put_head(&alteration->stream, head);
        return 0;
}

static int
alter_piece(void *userdata, CopyPosition position, bool is_last, const void *data, size_t size) {
        Alteration *alteration = userdata;
        uint8_t *copy = malloc(size + 1);

        memcpy(copy, data, size);
        last_piece = position;
        alteration->alter(position, copy, size);
        copy_put_piece(&alteration->stream, alteration->id, position, is_last, copy, size);
        free(copy);
        return 0;
}

static int alter_end(void *userdata, const CopyEnd *end) {
        Alteration *alteration = userdata;

        copy_put_end(&alteration->stream, alteration->id, end);
        return 0;
}

static bool has_arrived; /* what was received last, as a whole */

/* Receives the recording with other content, whose checksums are right. Returns what it comes to.
 */
static int receive_altered(
                const char *directory, void (*alter)(CopyPosition, uint8_t *data, size_t size)) {
        _cleanup_(copy_target_freep) CopyTarget *target = begin_target(directory);
        Alteration alteration = { .alter = alter };
        CopyParser parser;
        int r;

        copy_parser_init(&parser, &(CopyEvents){ alter_head, alter_piece, alter_end, &alteration });
        CHECK(copy_parser_feed(&parser, recording.data, recording.size) == 0);
        copy_parser_done(&parser);

        r = copy_target_feed(target, alteration.stream.data, alteration.stream.size);
        buffer_done(&alteration.stream);
        has_arrived = copy_target_is_complete(target);
        if (r >= 0)
                r = copy_target_recover(target);
        if (r >= 0)
                r = copy_target_install(target);
        return r;
}

static void leave_it(CopyPosition position, uint8_t *data, size_t size) {
}

/* The databases are "state.db" and "test.db", then come the logs. */
static void break_page(CopyPosition position, uint8_t *data, size_t size) {
        if (position.file == 1 && position.offset == 0)
                data[10 * PAGE_SIZE + 99] ^= 1;
}

static void lose_page(CopyPosition position, uint8_t *data, size_t size) {
        if (position.file == 1 && position.offset == 0)
                memset(data + 10 * PAGE_SIZE, 0, PAGE_SIZE);
}

/* Sound, and nothing that the log would be applied to. */
static void empty_page(CopyPosition position, uint8_t *data, size_t size) {
        if (position.file == 1 && position.offset == 0)
                page_make_unlogged(10, data + 10 * PAGE_SIZE);
}

static void break_log(CopyPosition position, uint8_t *data, size_t size) {
        if (position.file == 2 && position.offset + size > 200 * KIB && position.offset < 200 * KIB)
                data[200 * KIB - position.offset] ^= 1;
}

/* The end of the last log: without the mark it would be taken for what was torn. */
static void break_end(CopyPosition position, uint8_t *data, size_t size) {
        if (position.file == last_file && position.offset == 0)
                data[size - 1] ^= 1;
}

TEST(a_copy_that_is_not_well_is_not_installed) {
        const char *directory = *state;

        assert_int_equal(receive_altered(directory, break_page), -EBADMSG);
        assert_false(has_arrived);
        assert_int_equal(receive_altered(directory, lose_page), -EBADMSG);
        assert_true(has_arrived);
        assert_non_null(strstr(disk_last_damage(), "the copy of '"));
        assert_int_equal(receive_altered(directory, empty_page), -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "the copy of '"));
        assert_int_equal(receive_altered(directory, break_log), -EBADMSG);
        last_file = last_piece.file;
        assert_int_equal(last_piece.offset, 0); /* it has one piece */
        assert_int_equal(receive_altered(directory, break_end), -EBADMSG);
        assert_int_equal(check_directory(directory), OLD);
        assert_int_equal(receive_altered(directory, leave_it), 0);
        assert_in_range(check_directory(directory), 200, 220);
}

TEST(a_tree_with_a_page_of_something_else_is_no_tree) {
        const char *directory = *state;
        _cleanup_close_ int fd = -1;
        uint8_t page[PAGE_SIZE];

        assert_int_equal(copy_verify(directory, "state.db"), 0);
        assert_int_equal(copy_verify(directory, "test.db"), 0);
        fd = open(scratch_path(directory, "test.db"), O_RDWR | O_CLOEXEC);
        page_make_unlogged(3, page);
        assert_true(pwrite(fd, page, sizeof(page), 3 * PAGE_SIZE) == PAGE_SIZE);
        assert_int_equal(copy_verify(directory, "test.db"), -EBADMSG);
        assert_int_equal(copy_verify(directory, "none.db"), -ENOENT);
}

/* The old one may be used until then. */
TEST(nothing_is_replaced_while_it_is_open) {
        const char *directory = *state;
        CopyTarget *target = NULL;
        Store store = open_store(directory);

        target = begin_target(directory);
        assert_int_equal(copy_target_feed(target, recording.data, recording.size), 0);
        run_steps(&store, 100);
        assert_int_equal(copy_target_recover(target), 0);
        assert_int_equal(copy_target_install(target), -EBUSY);
        assert_int_equal(check_store(&store), OLD + 100);
        close_store(&store);
        assert_int_equal(copy_target_install(target), 0);
        target = copy_target_free(target);
        assert_in_range(check_directory(directory), 200, 220);
}

TEST(a_copy_can_be_the_first_one) {
        char *directory = scratch_new();
        CopyTarget *target = begin_target(directory);

        assert_int_equal(copy_target_feed(target, recording.data, recording.size), 0);
        install(target);
        target = copy_target_free(target);
        assert_in_range(check_directory(directory), 200, 220);
        directory = scratch_free(directory);
}

TEST(what_never_became_a_copy_is_removed) {
        const char *directory = *state;
        char path[256];
        const EnvironmentHooks hooks = { .format = FORMAT };
        EnvironmentOptions options;
        CopyTarget *target = begin_target(directory);
        Environment *environment;
        char *left;

        /* Nobody takes it for a store. */
        assert_int_equal(copy_target_feed(target, recording.data, recording.size), 0);
        assert_true(copy_target_is_complete(target));
        (void) snprintf(path, sizeof(path), "%s/" REPLACEMENT_DIRECTORY, directory);
        options = options_of(path);
        assert_int_equal(environment_open(&options, &hooks, &environment), -EPROTONOSUPPORT);

        left = scratch_copy(directory);
        assert_true(has_file(left, REPLACEMENT_DIRECTORY));
        assert_int_equal(check_directory(left), OLD);
        assert_false(has_file(left, REPLACEMENT_DIRECTORY));
        left = scratch_free(left);

        target = copy_target_free(target);
        assert_false(has_file(directory, REPLACEMENT_DIRECTORY));
        assert_int_equal(check_directory(directory), OLD);
}

TEST(a_copy_of_something_else_is_refused) {
        const char *directory = *state;
        CopyTargetOptions options = { .environment = options_of(directory), .format = "test 2" };
        CopyTarget *target;

        assert_int_equal(copy_target_new(&options, &target), 0);
        assert_int_equal(
                        copy_target_feed(target, recording.data, recording.size), -EPROTONOSUPPORT);
        target = copy_target_free(target);

        options.format = FORMAT;
        options.cluster[0] = 99;
        assert_int_equal(copy_target_new(&options, &target), 0);
        assert_int_equal(copy_target_feed(target, recording.data, recording.size), -EXDEV);
        target = copy_target_free(target);

        memset(options.cluster, 0, sizeof(options.cluster));
        options.environment.reserve_size = UINT64_C(1) << 60;
        assert_int_equal(copy_target_new(&options, &target), 0);
        assert_int_equal(copy_target_feed(target, recording.data, recording.size), -ENOSPC);
        target = copy_target_free(target);
        assert_int_equal(check_directory(directory), OLD);
}

/* Databases fit, the log does not. */
static void fill_the_disk(const char *directory) {
        CopyTarget *target;
        size_t n = recording.size;

        make_old(directory);
        target = begin_target(directory);
        CHECK(copy_target_feed(target, recording.data, n) == -ENOSPC);
        CHECK(copy_target_position(target).file >= 2 && copy_target_position(target).file < 6);
        target = copy_target_free(target);
        CHECK(!has_file(directory, REPLACEMENT_DIRECTORY));
        CHECK(check_directory(directory) == OLD);
}

TEST(a_full_disk_changes_nothing) {
        int status;

        status = small_disk(*state, 1900, fill_the_disk);
        if (status == -EPERM)
                skip();
        assert_int_equal(status, 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                a_copy_that_is_not_well_is_not_installed, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_tree_with_a_page_of_something_else_is_no_tree, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                nothing_is_replaced_while_it_is_open, setup, teardown),
                cmocka_unit_test(a_copy_can_be_the_first_one),
                cmocka_unit_test_setup_teardown(
                                what_never_became_a_copy_is_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_copy_of_something_else_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, setup, teardown),
        };
        int r;

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        record();
        r = cmocka_run_group_tests(tests, NULL, NULL);
        buffer_done(&recording);
        return r;
}
