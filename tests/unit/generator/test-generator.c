/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which units a machine has, by its settings and by what is enabled. */

#include "test.h"

#include "generator/generator.h"
#include "generator/machine.h"

static void run(Machine *machine) {
        assert_ok(generator_run(&(GeneratorOptions){
                        .config = machine->config,
                        .units = { machine->units, machine->runtime },
                        .output = machine->output,
        }));
}

/* Where the socket of a unit listens; NULL if nothing is said. */
static const char *listens(Machine *machine, const char *unit) {
        char name[128];
        const char *text;

        (void) snprintf(name, sizeof(name), "%s.socket.d/50-dkv.conf", unit);
        text = machine_read(machine, name);
        if (!text)
                return NULL;
        text = strrchr(text, '=') + 1;
        machine->text[strlen(machine->text) - 1] = '\0';
        return text;
}

TEST(a_master_has_a_socket_with_and_without_settings) {
        Machine *machine = *state;

        run(machine);
        assert_string_equal(listens(machine, "dkv-master"), "127.0.0.1:3000");
        machine_write(machine->config, "master.conf", "[Master]\nListen=10.0.0.1:80\n");
        run(machine);
        assert_string_equal(listens(machine, "dkv-master"), "10.0.0.1:80");
        assert_null(machine_read(machine, "dkv-master.service.d/50-dkv.conf"));
        machine_write(machine->config, "master.conf", "[Master]\nDirectory=/srv/dkv\n");
        run(machine);
        assert_non_null(strstr(
                        machine_read(machine, "dkv-master.service.d/50-dkv.conf"), "/srv/dkv"));
}

/* The daemon starts with the defaults' socket, and says what is wrong. */
TEST(of_settings_with_errors_nothing_is_taken) {
        static const char *const settings[] = {
                "[Volume]\nListen=10.0.0.1:4000\nCacheSize=none\n",
                "[Volume]\nListen=10.0.0.1:4000\nReportSec=1h\n", /* beyond the limit */
                "[Volume]\nListen=10.0.0.1:4000\nMaster=no url\n",
                "[Volume]\nListen=somewhere\n",
        };
        Machine *machine = *state;

        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                machine_write(machine->config, "volume@5.conf", settings[i]);
                run(machine);
                assert_string_equal(listens(machine, "dkv-volume@5"), "127.0.0.1:3005");
                assert_null(machine_read(machine, "dkv-volume@5.service.d/50-dkv.conf"));
        }
}

TEST(a_volume_exists_if_it_is_configured_or_enabled) {
        Machine *machine = *state;
        char directory[512];

        machine_write(machine->config, "volume@1.conf", "");
        (void) snprintf(directory, sizeof(directory), "%s/volume@2.conf.d", machine->config);
        assert_ok(make_directory(directory, 0755));
        machine_enable(machine->units, "dkv-volume@3.service", "wants", "dkv.target");
        machine_enable(machine->units, "dkv-volume@4.socket", "wants", "sockets.target");
        machine_enable(machine->runtime, "dkv-volume@5.service", "requires", "other.target");
        machine_enable(machine->units, "dkv-volume@6.service", "upholds", "dkv.target");
        run(machine);
        assert_string_equal(listens(machine, "dkv-volume@1"), "127.0.0.1:3001");
        assert_string_equal(listens(machine, "dkv-volume@2"), "127.0.0.1:3002");
        assert_string_equal(listens(machine, "dkv-volume@3"), "127.0.0.1:3003");
        assert_string_equal(listens(machine, "dkv-volume@4"), "127.0.0.1:3004");
        assert_string_equal(listens(machine, "dkv-volume@5"), "127.0.0.1:3005");
        assert_null(listens(machine, "dkv-volume@6"));
}

TEST(a_drop_in_of_the_settings_counts) {
        Machine *machine = *state;
        char directory[512];

        machine_write(machine->config, "volume@1.conf", "[Volume]\nListen=10.0.0.1:4000\n");
        (void) snprintf(directory, sizeof(directory), "%s/volume@1.conf.d", machine->config);
        assert_ok(make_directory(directory, 0755));
        machine_write(directory, "10-listen.conf", "[Volume]\nListen=10.0.0.1:4001\n");
        run(machine);
        assert_string_equal(listens(machine, "dkv-volume@1"), "10.0.0.1:4001");
}

TEST(names_that_are_no_volumes_are_left_alone) {
        static const char *const names[] = {
                "volume@.conf",
                "volume@0.conf",
                "volume@01.conf",
                "volume@x.conf",
                "volume@1.conf~",
                "volume@1.conf.x",
                "volume@-1.conf",
                "volume@1 .conf",
                "volume1.conf",
                "volume@18446744073709551617.conf",
                "volume@999999999999999999999999.conf",
        };
        Machine *machine = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                machine_write(machine->config, names[i], "");
        machine_enable(machine->units, "dkv-volume@.service", "wants", "dkv.target");
        machine_enable(machine->units, "dkv-volume@7.mount", "wants", "dkv.target");
        run(machine);
        assert_null(listens(machine, "dkv-volume@1"));
        assert_null(listens(machine, "dkv-volume@7"));
        assert_null(listens(machine, "dkv-volume@0"));
}

TEST(a_directory_elsewhere_is_told_and_the_usual_one_is_not) {
        Machine *machine = *state;

        machine_write(machine->config, "volume@1.conf", "[Volume]\nDirectory=/srv/disk1\n");
        machine_write(machine->config, "volume@2.conf",
                      "[Volume]\nDirectory=/var/lib/dkv/volume-2\n");
        machine_write(machine->config, "volume@3.conf", "[Volume]\nDirectory=relative\n");
        machine_write(machine->config, "volume@4.conf", "[Volume]\nDirectory=/a\"b\n");
        machine_write(machine->config, "volume@5.conf", "[Volume]\nDirectory=/a\\b\n");
        run(machine);
        assert_non_null(
                        strstr(machine_read(machine, "dkv-volume@1.service.d/50-dkv.conf"),
                               "RequiresMountsFor=\"/srv/disk1\""));
        assert_null(machine_read(machine, "dkv-volume@2.service.d/50-dkv.conf"));
        assert_null(machine_read(machine, "dkv-volume@3.service.d/50-dkv.conf"));
        assert_null(machine_read(machine, "dkv-volume@4.service.d/50-dkv.conf"));
        assert_null(machine_read(machine, "dkv-volume@5.service.d/50-dkv.conf"));
}

TEST(a_disk_that_is_mounted_late_starts_what_is_enabled_and_nothing_else) {
        Machine *machine = *state;

        machine_write(machine->config, "volume@1.conf", "[Volume]\nDirectory=/srv/disk1\n");
        machine_write(machine->config, "volume@2.conf", "[Volume]\nDirectory=/srv/disk2\n");
        machine_enable(machine->units, "dkv-volume@1.service", "wants", "dkv.target");
        run(machine); /* the target is not enabled */
        assert_false(machine_links(machine, "srv-disk1.mount.wants/dkv-volume@1.service"));

        machine_enable(machine->units, "dkv.target", "wants", "multi-user.target");
        run(machine);
        assert_true(machine_links(machine, "srv-disk1.mount.wants/dkv-volume@1.service"));
        assert_true(machine_links(machine, "srv.mount.wants/dkv-volume@1.service"));
        assert_false(machine_links(machine, "srv-disk2.mount.wants/dkv-volume@2.service"));
}

TEST(a_volume_without_a_port_of_its_own_needs_one_in_its_settings) {
        Machine *machine = *state;

        machine_write(machine->config, "volume@62535.conf", ""); /* 65535 */
        run(machine);
        assert_string_equal(listens(machine, "dkv-volume@62535"), "127.0.0.1:65535");
}

TEST(directories_that_are_not_there_are_empty) {
        Machine *machine = *state;

        assert_ok(generator_run(&(GeneratorOptions){
                        .config = "/nonexistent",
                        .units = { "/nonexistent", NULL },
                        .output = machine->output,
        }));
        assert_string_equal(listens(machine, "dkv-master"), "127.0.0.1:3000");
}

TEST(an_output_that_cannot_be_written_is_an_error) {
        Machine *machine = *state;

        assert_true(generator_run(&(GeneratorOptions){
                                    .config = machine->config,
                                    .units = { machine->units, NULL },
                                    .output = "/proc/none",
                    }) < 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, machine_setup, machine_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_master_has_a_socket_with_and_without_settings),
                RUN(of_settings_with_errors_nothing_is_taken),
                RUN(a_volume_exists_if_it_is_configured_or_enabled),
                RUN(a_drop_in_of_the_settings_counts),
                RUN(names_that_are_no_volumes_are_left_alone),
                RUN(a_directory_elsewhere_is_told_and_the_usual_one_is_not),
                RUN(a_disk_that_is_mounted_late_starts_what_is_enabled_and_nothing_else),
                RUN(a_volume_without_a_port_of_its_own_needs_one_in_its_settings),
                RUN(directories_that_are_not_there_are_empty),
                RUN(an_output_that_cannot_be_written_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
