/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A whole master: how it starts, what it does when it cannot, how it ends, and what it knows after
 * that. */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/service.h"
#include "master/node.h"
#include "scratch.h"
#include "store/index/identity.h"

static char *directory;
static char config[256], index_directory[256];
static int port;
static ProgramArguments arguments;

static void write_text(const char *path, const char *text) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

/* The settings, and MORE. */
static void configure(const char *more) {
        char text[1024];

        (void) snprintf(text, sizeof(text),
                        "[Master]\nDirectory=%s\nListen=127.0.0.1:%d\nSecretFile=%s/secret\n"
                        "StopSec=5s\nReserveSize=0\nThreads=1\n%s",
                        index_directory, port, directory, more);
        write_text(config, text);
}

/* A port that nobody had a moment ago. */
static int find_port(void) {
        int fd = service_listen("127.0.0.1:0"), found;

        assert_ok(fd);
        found = service_port(fd);
        (void) close(fd);
        return found;
}

static int setup(void **state) {
        char secret[256];

        directory = scratch_new();
        (void) snprintf(config, sizeof(config), "%s/master.conf", directory);
        (void) snprintf(index_directory, sizeof(index_directory), "%s/index", directory);
        (void) snprintf(secret, sizeof(secret), "%s/secret", directory);
        write_text(secret, "0123456789abcdef0123456789abcdef\n");
        port = find_port();
        arguments = (ProgramArguments){ .config = config, .bus_address = "none" };
        configure("");
        return 0;
}

static int teardown(void **state) {
        directory = scratch_free(directory);
        return 0;
}

static Node *start(void) {
        Node *node;

        assert_ok(node_new(&arguments, &node));
        return node;
}

/* What the master answers to "GET PATH". */
static void *get_health(void *ret) {
        static const char request[] =
                        "GET /-/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t) port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t n = 0;
        ssize_t k;
        char *text = ret;

        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0 &&
            send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0)
                while (n < 4000 && (k = recv(fd, text + n, 4000 - n, 0)) > 0)
                        n += (size_t) k;
        text[n] = '\0';
        (void) close(fd);
        return NULL;
}

static void assert_health(const char *expected) {
        char text[4096];

        (void) get_health(text);
        if (!strstr(text, expected))
                fail_msg("no '%s' in '%s'", expected, text);
}

TEST(a_new_master_serves_leads_and_has_no_volumes) {
        Node *node = start();

        assert_true(lead_is_leading(node->lead));
        assert_non_null(node->leader);
        assert_health("HTTP/1.1 503 ");
        assert_health("down");
        assert_null(node_free(node));
}

TEST(who_it_is_stays_and_the_term_rises) {
        uint8_t cluster[CLUSTER_ID_SIZE];
        Node *node = start();
        uint64_t term;

        memcpy(cluster, index_identity(node->index)->cluster, sizeof(cluster));
        term = index_identity(node->index)->term;
        assert_null(node_free(node));

        for (unsigned i = 0; i < 2; i++) {
                node = start();
                assert_memory_equal(index_identity(node->index)->cluster, cluster, sizeof(cluster));
                assert_int_equal(index_identity(node->index)->term, ++term);
                assert_null(node_free(node));
        }
}

TEST(a_signal_ends_it_in_order) {
        Node *node = start();

        assert_int_equal(kill(getpid(), SIGTERM), 0); /* blocked until the loop runs */
        assert_ok(node_run(node));
        assert_true(node->stopping);
        assert_true(lead_is_leading(node->lead)); /* a stop does not depose anybody */
        assert_null(node_free(node));
        node = start();
        assert_health("HTTP/1.1 503 ");
        assert_null(node_free(node));
}

/* Both signals are pending when the loop begins; the lower number, which is the reload, comes
 * first. */
static void run_with_reload(Node *node) {
        assert_int_equal(kill(getpid(), SIGHUP), 0);
        while (sd_event_run(node->event, 0) > 0)
                ;
}

TEST(a_reload_takes_over_what_may_change) {
        Node *node = start();

        assert_int_equal(volumes_copies(node->leader->volumes), 1);
        configure("Copies=3\nValueSizeMax=1M\nTicketSec=5s\nThreads=2\n");
        run_with_reload(node);
        assert_int_equal(node->conf.copies, 3);
        assert_int_equal(volumes_copies(node->leader->volumes), 3);
        assert_int_equal(node->conf.value_size_max, MIB);
        assert_int_equal(node->conf.ticket_usec, 5 * USEC_PER_SEC);
        assert_int_equal(node->conf.endpoint.threads, 1);
        assert_null(node_free(node));
}

TEST(a_bad_file_changes_nothing) {
        static const char *const bad[] = { "Copies=3\nGraceSec=never\n",
                                           "Copies=3\nTicketSec=1h\nGraceSec=1min\n",
                                           "Copies=99\n" };
        Node *node = start();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                configure(bad[i]);
                run_with_reload(node);
                assert_int_equal(node->conf.copies, 1);
                assert_int_equal(volumes_copies(node->leader->volumes), 1);
                assert_int_equal(node->conf.grace_usec, 10 * USEC_PER_MIN);
        }
        assert_health("HTTP/1.1 503 ");
        assert_null(node_free(node));
}

static void assert_start_fails(int error) {
        Node *node = NULL;
        int r = node_new(&arguments, &node);

        assert_null(node);
        if (error != 0)
                assert_int_equal(r, error);
        else
                assert_true(r < 0);
}

TEST(two_masters_do_not_share_an_index) {
        Node *node = start();

        port = find_port();
        configure("");
        assert_start_fails(0);
        assert_null(node_free(node));
        assert_null(node_free(start()));
}

TEST(an_address_in_use_ends_the_start) {
        int fd = service_listen("127.0.0.1:0");

        assert_ok(fd);
        port = service_port(fd);
        configure("");
        assert_start_fails(-EADDRINUSE);
        (void) close(fd);
        assert_null(node_free(start())); /* what was made until then is not in the way */
}

TEST(without_a_secret_it_does_not_start) {
        char secret[300];

        (void) snprintf(secret, sizeof(secret), "SecretFile=%s/other\n", directory);
        configure(secret);
        assert_start_fails(0);
        write_text(scratch_path(directory, "other"), "short\n");
        assert_start_fails(0);
}

TEST(a_directory_that_is_a_file_ends_the_start) {
        write_text(index_directory, "no index\n");
        assert_start_fails(0);
}

/* It must not be taken for a new one. */
TEST(an_index_without_one_of_its_files_is_not_opened) {
        static const char *const members[] = { "index.db", "state.db" };
        unsigned n = 0;

        assert_null(node_free(start()));
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                char path[512], away[520];

                (void) snprintf(path, sizeof(path), "%s/%s", index_directory, members[i]);
                (void) snprintf(away, sizeof(away), "%s.away", path);
                if (rename(path, away) < 0)
                        continue;
                assert_start_fails(-ENOMEDIUM);
                assert_int_equal(rename(away, path), 0);
                n++;
        }
        assert_true(n > 0);
        assert_null(node_free(start()));
}

TEST(bad_settings_end_the_start) {
        configure("Copies=0\n");
        assert_start_fails(-EINVAL);
        configure("TicketSec=1h\nGraceSec=1min\n");
        assert_start_fails(-EINVAL);
}

TEST(a_bus_that_is_not_there_is_no_failure) {
        Node *node;

        arguments.bus_address = "unix:path=/nonexistent/bus";
        node = start();
        assert_health("HTTP/1.1 503 ");
        assert_null(node_free(node));
        assert_null(node_free(NULL));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(a_new_master_serves_leads_and_has_no_volumes),
                ROW(who_it_is_stays_and_the_term_rises),
                ROW(a_signal_ends_it_in_order),
                ROW(a_reload_takes_over_what_may_change),
                ROW(a_bad_file_changes_nothing),
                ROW(two_masters_do_not_share_an_index),
                ROW(an_address_in_use_ends_the_start),
                ROW(without_a_secret_it_does_not_start),
                ROW(a_directory_that_is_a_file_ends_the_start),
                ROW(an_index_without_one_of_its_files_is_not_opened),
                ROW(bad_settings_end_the_start),
                ROW(a_bus_that_is_not_there_is_no_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
