/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A copy is received, recovered and put in the place of another environment: each write, flush,
 * rename and so on of that fails once, finds the disk full once, and is once the last thing that
 * the process does; and power is lost. Then there is the old one or the new one. */

#include "store/copy/copy-fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fault.h"
#include "power.h"

#define OLD 3
#define NEW 24

/* The new one has no such file. */
#define ONLY_OLD "extra.mirror"

static Buffer recording;
static char *old_directory;

enum {
        OLD_IS_THERE = 1,
        IS_INSTALLED,
};

static void record(void) {
        char *directory = scratch_new();
        Store store = open_store(directory);
        CopySource *source;

        run_steps(&store, 16);
        source = begin_copy(&store);
        CHECK(copy_source_connect(source, (CopyPosition){}, &recording) == 0);
        run_steps(&store, NEW - 16);
        while (copy_source_next(source, &recording) > 0)
                ;
        source = copy_source_free(source);
        close_store(&store);
        directory = scratch_free(directory);

        old_directory = scratch_new();
        store = open_store(old_directory);
        run_steps(&store, OLD);
        close_store(&store);
        CHECK(creat(scratch_path(old_directory, ONLY_OLD), 0600) >= 0);
}

/* Past what counts the calls. */
static void send_file(int fd, int from_fd, size_t size) {
        while (size > 0) {
                ssize_t n = sendfile(fd, from_fd, NULL, size);

                CHECK(n > 0);
                size -= (size_t) n;
        }
}

/* So that it is recorded. */
static void write_through(int fd, int from_fd, size_t size) {
        uint8_t *data = malloc(size + 1);

        CHECK(pread_all(from_fd, data, size, 0) == (ssize_t) size);
        CHECK(pwrite_all(fd, data, size, 0) == 0);
        CHECK(fsync(fd) == 0);
        free(data);
}

static void put_old(const char *directory, void (*copy)(int fd, int from_fd, size_t size)) {
        DIR *dir = opendir(old_directory);
        const struct dirent *entry;

        while ((entry = readdir(dir))) {
                _cleanup_close_ int from_fd = -1, fd = -1;
                struct stat st;

                if (entry->d_name[0] == '.')
                        continue;
                from_fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
                fd = open(scratch_path(directory, entry->d_name), O_RDWR | O_CREAT | O_CLOEXEC,
                          0640);
                CHECK(from_fd >= 0 && fd >= 0 && fstat(from_fd, &st) >= 0);
                copy(fd, from_fd, (size_t) st.st_size);
        }
        (void) closedir(dir);
}

static int replace(const char *directory) {
        _cleanup_(copy_target_freep) CopyTarget *target = NULL;
        int r;

        r = new_target(directory, &target);
        if (r >= 0)
                r = copy_target_feed(target, recording.data, recording.size);
        if (r >= 0)
                r = copy_target_recover(target);
        return r < 0 ? r : copy_target_install(target);
}

static void sweep_scene(const char *directory) {
        put_old(directory, send_file);
        fault_acknowledge(OLD_IS_THERE);
        if (replace(directory) >= 0)
                fault_acknowledge(IS_INSTALLED);
}

static void power_scene(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        put_old(directory, write_through);
        CHECK(fsync(fd) == 0);
        fault_acknowledge(OLD_IS_THERE);
        CHECK(replace(directory) == 0);
        fault_acknowledge(IS_INSTALLED);
}

static void check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        static const char *const left_overs[] = { "incoming", "replacement", "replacement-moves" };
        uint64_t counter;

        if (n_acknowledged == 0)
                return;

        counter = check_directory(directory);
        CHECK((counter == OLD) == (access(scratch_path(directory, ONLY_OLD), F_OK) >= 0));
        CHECK(counter == NEW || (counter == OLD && n_acknowledged < IS_INSTALLED));
        for (size_t i = 0; i < ELEMENTSOF(left_overs); i++)
                CHECK(access(scratch_path(directory, left_overs[i]), F_OK) < 0);
}

static void sweep(FaultMode mode) {
        static const FaultSweep fault = { sweep_scene, check };
        unsigned n;

        n = fault_sweep(&fault, mode);
        print_message("%u calls\n", n);
        assert_in_range(n, 100, 2000);
}

TEST(the_old_one_or_the_new_one_survives_errors) {
        sweep(FAULT_ERROR);
}

TEST(the_old_one_or_the_new_one_survives_a_full_disk) {
        sweep(FAULT_FULL);
}

TEST(the_old_one_or_the_new_one_survives_the_death_of_its_process) {
        sweep(FAULT_DIE);
}

TEST(the_old_one_or_the_new_one_survives_losses_of_power) {
        static const FaultSweep losses = { power_scene, check };
        const char *states = getenv("DKV_POWER_STATES"), *seed = getenv("DKV_POWER_SEED");

        assert_int_equal(
                        power_loss(&losses, states ? (unsigned) atoi(states) : 250,
                                   seed ? (unsigned) atoi(seed) : 1),
                        0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_old_one_or_the_new_one_survives_errors),
                cmocka_unit_test(the_old_one_or_the_new_one_survives_a_full_disk),
                cmocka_unit_test(the_old_one_or_the_new_one_survives_the_death_of_its_process),
                cmocka_unit_test(the_old_one_or_the_new_one_survives_losses_of_power),
        };
        int r;

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        record();
        r = cmocka_run_group_tests(tests, NULL, NULL);
        old_directory = scratch_free(old_directory);
        buffer_done(&recording);
        return r;
}
