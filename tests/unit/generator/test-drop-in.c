/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What systemd reads, byte by byte. */

#include "test.h"

#include "generator/drop-in.h"
#include "generator/machine.h"

TEST(a_socket_listens_there_and_nowhere_else) {
        Machine *machine = *state;

        assert_ok(drop_in_socket(machine->output, "dkv-volume@2.socket", "10.0.0.1:4000"));
        assert_string_equal(
                        machine_read(machine, "dkv-volume@2.socket.d/50-dkv.conf"),
                        "# Made by dkv-generator from Listen=.\n"
                        "[Socket]\n"
                        "ListenStream=\n"
                        "ListenStream=10.0.0.1:4000\n");
}

TEST(a_service_may_write_to_its_directory_and_needs_its_mounts) {
        Machine *machine = *state;

        assert_ok(drop_in_service(machine->output, "dkv-volume@2.service", "/srv/disk 2/dkv"));
        assert_string_equal(
                        machine_read(machine, "dkv-volume@2.service.d/50-dkv.conf"),
                        "# Made by dkv-generator from Directory=.\n"
                        "[Unit]\n"
                        "RequiresMountsFor=\"/srv/disk 2/dkv\"\n"
                        "\n"
                        "[Service]\n"
                        "StateDirectory=\n"
                        "ReadWritePaths=\"-/srv/disk 2/dkv\"\n");
}

/* systemd would take it for a specifier. */
TEST(a_percent_sign_is_doubled) {
        Machine *machine = *state;

        assert_ok(drop_in_service(machine->output, "s", "/srv/100%/%n"));
        assert_non_null(strstr(machine_read(machine, "s.d/50-dkv.conf"), "\"/srv/100%%/%%n\""));
        assert_ok(drop_in_socket(machine->output, "t", "[fe80::1%eth0]:3000"));
        assert_non_null(strstr(
                        machine_read(machine, "t.d/50-dkv.conf"), "=[fe80::1%%eth0]:3000\n"));
}

/* ProtectHome= of the unit would hide it. */
TEST(a_directory_below_home_is_not_hidden) {
        static const struct {
                const char *directory;
                bool is_below;
        } rows[] = {
                { "/home/me/dkv", true }, { "/root/dkv", true },  { "/home", false },
                { "/homes/dkv", false },  { "/srv/home", false }, { "/rootfs/dkv", false },
        };
        Machine *machine = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_ok(drop_in_service(machine->output, "s", rows[i].directory));
                assert_int_equal(
                                strstr(machine_read(machine, "s.d/50-dkv.conf"), "ProtectHome=") !=
                                                NULL,
                                rows[i].is_below);
        }
}

TEST(what_was_there_is_replaced) {
        Machine *machine = *state;

        assert_ok(drop_in_socket(machine->output, "s", "a.very.long.name.of.a.machine:4000"));
        assert_ok(drop_in_socket(machine->output, "s", ":1"));
        assert_null(strstr(machine_read(machine, "s.d/50-dkv.conf"), "long"));
        assert_null(strstr(machine_read(machine, "s.d/50-dkv.conf"), "4000"));
}

/* As systemd-escape --path does it. */
TEST(each_mount_on_the_way_has_the_name_that_systemd_gives_it) {
        static const struct {
                const char *directory, *mounts[4];
        } rows[] = {
                { "/srv", { "srv" } },
                { "/srv/disk-2", { "srv", "srv-disk\\x2d2" } },
                { "/srv/disk 2/dkv", { "srv", "srv-disk\\x202", "srv-disk\\x202-dkv" } },
                { "/a//b/", { "a", "a-b" } },
                { "/.hidden/.dkv", { "\\x2ehidden", "\\x2ehidden-.dkv" } },
                { "/a_b:c.d", { "a_b:c.d" } },
                { "/\xc3\xa4", { "\\xc3\\xa4" } },
                { "/a\\b", { "a\\x5cb" } },
        };
        Machine *machine = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char unit[32];

                (void) snprintf(unit, sizeof(unit), "dkv-volume@%zu.service", i + 1);
                assert_ok(drop_in_wants(machine->output, unit, rows[i].directory));
                for (size_t k = 0; rows[i].mounts[k]; k++) {
                        char name[128];

                        (void) snprintf(name, sizeof(name), "%s.mount.wants/%s", rows[i].mounts[k],
                                        unit);
                        assert_true(machine_links(machine, name));
                }
        }
}

/* systemd runs generators whenever something is reloaded. */
TEST(a_wish_may_be_made_twice) {
        Machine *machine = *state;

        assert_ok(drop_in_wants(machine->output, "dkv-volume@1.service", "/srv/x"));
        assert_ok(drop_in_wants(machine->output, "dkv-volume@1.service", "/srv/x"));
        assert_ok(drop_in_wants(machine->output, "dkv-volume@2.service", "/srv/x"));
        assert_true(machine_links(machine, "srv-x.mount.wants/dkv-volume@1.service"));
        assert_true(machine_links(machine, "srv-x.mount.wants/dkv-volume@2.service"));
}

TEST(what_cannot_be_written_is_an_error) {
        Machine *machine = *state;

        assert_true(drop_in_socket("/proc/none", "s", ":1") < 0);
        assert_true(drop_in_service("/proc/none", "s", "/srv") < 0);
        assert_true(drop_in_wants("/proc/none", "s", "/srv") < 0);

        machine_write(machine->output, "s.d", "a file in the place of the directory");
        assert_true(drop_in_socket(machine->output, "s", ":1") < 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, machine_setup, machine_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_socket_listens_there_and_nowhere_else),
                RUN(a_service_may_write_to_its_directory_and_needs_its_mounts),
                RUN(a_percent_sign_is_doubled),
                RUN(a_directory_below_home_is_not_hidden),
                RUN(what_was_there_is_replaced),
                RUN(each_mount_on_the_way_has_the_name_that_systemd_gives_it),
                RUN(a_wish_may_be_made_twice),
                RUN(what_cannot_be_written_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
