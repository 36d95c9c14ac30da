/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "core/checksum.h"
#include "scratch.h"
#include "store/disk/disk.h"
#include "store/entries/vote-file.h"

static int put(int dir_fd, const void *data, size_t size) {
        return write_file(dir_fd, VOTE_FILE, data, size, 0640);
}

TEST(a_vote_comes_back_and_nothing_else_does) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *file = NULL;
        Vote vote = { 99, true, 7, 3 }, found;
        uint64_t sum;
        size_t size;

        assert_int_equal(vote_file_read(dir_fd, &found), -ENOENT);
        assert_int_equal(vote_file_write(dir_fd, &vote), 0);
        assert_int_equal(vote_file_read(dir_fd, &found), 0);
        assert_int_equal(found.log_id, 99);
        assert_int_equal(found.term, 7);
        assert_int_equal(found.vote, 3);
        assert_true(found.is_new);

        assert_int_equal(read_file(dir_fd, VOTE_FILE, KIB, &file, &size), 0);
        for (size_t i = 0; i < size; i++) {
                file[i] ^= 4;
                assert_int_equal(put(dir_fd, file, size), 0);
                disk_note_damage("%s", "");
                assert_int_equal(vote_file_read(dir_fd, &found), -EBADMSG);
                assert_non_null(strstr(disk_last_damage(), "/vote': a bad checksum"));
                file[i] ^= 4;
        }
        for (size_t i = 0; i < size; i++) {
                assert_int_equal(put(dir_fd, file, i), 0);
                assert_int_equal(vote_file_read(dir_fd, &found), -EBADMSG);
        }
        assert_int_equal(put(dir_fd, file, size + 1), 0); /* the 0 behind it */
        assert_int_equal(vote_file_read(dir_fd, &found), -EBADMSG);

        /* Of a later release, of another length or not. */
        for (size_t n = size - 8; n <= size + 8; n += 8) {
                uint8_t later[KIB] = {};

                memcpy(later, file, size - sizeof(sum));
                later[8]++;
                sum = checksum_seeded(later, n - sizeof(sum), 0);
                memcpy(later + n - sizeof(sum), &sum, sizeof(sum));
                assert_int_equal(put(dir_fd, later, n), 0);
                assert_int_equal(vote_file_read(dir_fd, &found), -EPROTONOSUPPORT);
        }
}

/* Nothing was promised then, so it does no harm, and there may be some later. */
TEST(without_a_descriptor_nothing_changes) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Vote vote = { 99, false, 7, 3 }, found;
        struct rlimit limit, none;

        assert_int_equal(vote_file_write(dir_fd, &vote), 0);
        assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
        none = limit;
        none.rlim_cur = 0;
        vote.term = 8;
        assert_ok(setrlimit(RLIMIT_NOFILE, &none));
        assert_int_equal(vote_file_write(dir_fd, &vote), -EMFILE);
        assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
        assert_int_equal(vote_file_read(dir_fd, &found), 0);
        assert_int_equal(found.term, 7);
        assert_int_equal(vote_file_write(dir_fd, &vote), 0);
        assert_int_equal(vote_file_read(dir_fd, &found), 0);
        assert_int_equal(found.term, 8);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vote_comes_back_and_nothing_else_does),
                cmocka_unit_test(without_a_descriptor_nothing_changes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
