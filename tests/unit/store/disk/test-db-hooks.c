/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* That Berkeley DB gets nothing to the disk past the hooks. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"
#include "store/environment/database.h"
#include "store/environment/opening.h"

/* A file for which there is no room, and how many of its pages were refused. */
static atomic_ullong full_inode;
static atomic_uint n_refused;

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);

ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset) {
        struct stat st;

        if (atomic_load(&full_inode) != 0 && fstat(fd, &st) == 0 &&
            st.st_ino == atomic_load(&full_inode)) {
                atomic_fetch_add(&n_refused, 1);
                errno = ENOSPC;
                return -1;
        }
        return __real_pwrite64(fd, data, size, offset);
}

static int apply_put(Operation *operation, Transaction *transaction) {
        DB *database = transaction->environment->growing[0];
        static const uint8_t value[KIB] = { 1 };
        int r = 0;

        for (uint32_t key = 0; key < 200 && r == 0; key++)
                r = transaction_put(transaction, database, &key, sizeof(key), value, sizeof(value));
        return r;
}

static uint64_t size_of(const char *path) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        return (uint64_t) st.st_size;
}

static int make_checkpoint(Environment *environment) {
        DB_ENV *db_env = environment->db_env;

        return environment_error(environment, db_env->txn_checkpoint(db_env, 0, 0, DB_FORCE));
}

/* It would seek and write, when there may be room again. */
TEST(a_page_that_was_refused_is_not_written_in_another_way) {
        static const EnvironmentHooks hooks = { .format = "test 1" };
        _cleanup_free_ char *path = NULL;
        char *directory = scratch_new();
        const EnvironmentOptions options = { .directory = directory, .log_size = MIB };
        Operation put = { .apply = apply_put };
        Environment *environment;
        uint64_t size_before;
        struct stat st;

        assert_int_equal(environment_open(&options, &hooks, &environment), 0);
        assert_int_equal(
                        environment_open_database(environment, "test.db", environment->growing), 0);
        assert_int_equal(make_checkpoint(environment), 0);
        path = strdup(scratch_path(directory, "test.db"));
        assert_int_equal(stat(path, &st), 0);
        size_before = size_of(path);

        atomic_store(&full_inode, st.st_ino);
        assert_int_equal(environment_run(environment, &put), 0);
        assert_int_equal(make_checkpoint(environment), -ENOSPC);
        assert_true(atomic_load(&n_refused) > 0);
        assert_int_equal(size_of(path), size_before);

        atomic_store(&full_inode, 0);
        assert_int_equal(make_checkpoint(environment), 0);
        assert_true(size_of(path) > size_before);
        environment_free(environment);
        scratch_free(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_page_that_was_refused_is_not_written_in_another_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
