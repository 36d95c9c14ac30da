/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The daemon as a whole, as main() makes it: it starts, or says why it does not. */

#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "http/http.h"
#include "scratch.h"
#include "store/object/objects.h"
#include "volume/volume.h"

typedef struct Machine {
        char *directory;
        char store[256], secret[256];
        Fixture server; /* only the port */
        ProgramArguments arguments;
        char settings[5][512];
} Machine;

static int setup(void **state) {
        Machine *machine = calloc(1, sizeof(*machine));
        FILE *file;
        int fd = service_listen("127.0.0.1:0");

        assert_ok(fd);
        machine->server.port = service_port(fd);
        close(fd); /* the daemon takes it */
        machine->directory = scratch_new();
        (void) snprintf(machine->store, sizeof(machine->store), "%.200s/store", machine->directory);
        (void) snprintf(machine->secret, sizeof(machine->secret), "%.200s/secret",
                        machine->directory);
        file = fopen(machine->secret, "we");
        assert_non_null(file);
        assert_true(fputs("0123456789abcdef0123456789abcdef", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_ok(chmod(machine->secret, 0600));

        machine->arguments = (ProgramArguments){
                .config = "/dev/null",
                .bus_address = "none",
                .number = 3,
        };
        (void) snprintf(machine->settings[0], 512, "Directory=%s", machine->store);
        (void) snprintf(machine->settings[1], 512, "SecretFile=%s", machine->secret);
        (void) snprintf(machine->settings[2], 512, "Listen=127.0.0.1:%i", machine->server.port);
        (void) snprintf(machine->settings[3], 512, "Master=http://127.0.0.1:1");
        (void) snprintf(machine->settings[4], 512, "ReserveSize=0");
        for (size_t i = 0; i < ELEMENTSOF(machine->settings); i++)
                machine->arguments.set[i] = machine->settings[i];
        *state = machine;
        return 0;
}

static int teardown(void **state) {
        Machine *machine = *state;
        char command[512];

        (void) snprintf(command, sizeof(command), "rm -rf '%s'/*", machine->directory);
        assert_int_equal(system(command), 0);
        scratch_free(machine->directory);
        free(machine);
        return 0;
}

static int start(Machine *machine, VolumeDaemon **ret) {
        return volume_daemon_new(&machine->arguments, ret);
}

TEST(it_serves_as_soon_as_it_has_started) {
        Machine *machine = *state;
        VolumeDaemon *volume;
        const char *answer;

        assert_ok(start(machine, &volume));
        answer = exchange_simple(&machine->server, "GET", "/-/health");
        assert_status(answer, 200);
        assert_contains(answer, "\"number\":3");
        (void) volume_daemon_free(volume);
}

TEST(its_store_is_there_after_a_restart) {
        Machine *machine = *state;
        VolumeDaemon *volume;
        const char *found;
        char uuid[40];

        assert_ok(start(machine, &volume));
        found = strstr(exchange_simple(&machine->server, "GET", "/-/health"), "\"uuid\":");
        assert_non_null(found);
        (void) snprintf(uuid, sizeof(uuid), "%.39s", found);
        (void) volume_daemon_free(volume);

        assert_ok(start(machine, &volume));
        assert_contains(exchange_simple(&machine->server, "GET", "/-/health"), uuid);
        (void) volume_daemon_free(volume);
}

TEST(a_store_that_is_in_use_is_left_alone) {
        Machine *machine = *state;
        ObjectStoreOptions options = { .environment.directory = machine->store };
        VolumeDaemon *volume;
        ObjectStore *store;

        assert_ok(start(machine, &volume));
        (void) volume_daemon_free(volume);
        assert_ok(object_store_open(&options, &store));
        assert_int_equal(start(machine, &volume), -EBUSY);
        store = object_store_free(store);
        assert_ok(start(machine, &volume));
        (void) volume_daemon_free(volume);
}

TEST(without_what_it_needs_it_does_not_start) {
        static const struct {
                size_t i;
                const char *setting;
        } rows[] = {
                { 0, "Directory=/proc/none" },  { 1, "SecretFile=/nonexistent" },
                { 1, "SecretFile=/dev/null" },  /* which anybody can read */
                { 2, "Listen=192.0.2.1:4000" }, /* nobody's address */
                { 3, "Master=nonsense" },       { 4, "Nonsense=1" },
        };
        Machine *machine = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *before = machine->arguments.set[rows[i].i];
                VolumeDaemon *volume;

                machine->arguments.set[rows[i].i] = rows[i].setting;
                assert_true(start(machine, &volume) < 0);
                machine->arguments.set[rows[i].i] = before;
        }
}

/* A disk that was not mounted must not become a new, empty store. */
TEST(a_store_that_lacks_a_file_is_not_made_anew) {
        Machine *machine = *state;
        char path[512];
        VolumeDaemon *volume;

        assert_ok(start(machine, &volume));
        (void) volume_daemon_free(volume);
        (void) snprintf(path, sizeof(path), "%s/objects.db", machine->store);
        assert_ok(unlink(path));
        assert_int_equal(start(machine, &volume), -ENOMEDIUM);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(it_serves_as_soon_as_it_has_started),
                RUN(its_store_is_there_after_a_restart),
                RUN(a_store_that_is_in_use_is_left_alone),
                RUN(without_what_it_needs_it_does_not_start),
                RUN(a_store_that_lacks_a_file_is_not_made_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
