/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/event-ids.h"
#include "base/log.h"

/* Stands in for the function of libsystemd, by way of --wrap. */
int __wrap_sd_journal_sendv(const struct iovec parts[], int n);

static char sent[4096]; /* the fields of the last message, each with a newline behind */
static unsigned n_sent;

int __wrap_sd_journal_sendv(const struct iovec parts[], int n) {
        sent[0] = '\0';
        for (int i = 0; i < n; i++) {
                size_t used = strlen(sent);

                (void) snprintf(sent + used, sizeof(sent) - used, "%.*s\n", (int) parts[i].iov_len,
                                (const char *) parts[i].iov_base);
        }
        n_sent++;
        return 0;
}

TEST(message_goes_to_the_journal) {
        log_warning("The %s is %i", "answer", 42);
        assert_string_equal(sent, "MESSAGE=The answer is 42\nPRIORITY=4\n");
}

TEST(errno_is_a_field) {
        assert_int_equal(log_error_errno(-ENOENT, "Failed: %m"), -ENOENT);
        assert_string_equal(
                        sent,
                        "MESSAGE=Failed: it is not there (No such file or directory); is its disk "
                        "mounted?\nPRIORITY=3\nERRNO=2\n");
}

TEST(event_has_its_id_and_fields) {
        const char *fields[] = { "DKV_VOLUME=3", "DKV_KEY=a=b", NULL };

        log_event(LOG_NOTICE, EVENT_VOLUME_DOWN, fields, "Volume %i is down", 3);
        assert_string_equal(
                        sent, "MESSAGE=Volume 3 is down\nPRIORITY=5\nMESSAGE_ID=" EVENT_VOLUME_DOWN
                              "\nDKV_VOLUME=3\nDKV_KEY=a=b\n");
}

TEST(line_breaks_may_stay) {
        log_info("one\ntwo");
        assert_string_equal(sent, "MESSAGE=one\ntwo\nPRIORITY=6\n");
}

TEST(hidden_message_is_not_sent) {
        unsigned before = n_sent;

        log_debug("hidden");
        assert_int_equal(n_sent, before);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(message_goes_to_the_journal),
                cmocka_unit_test(errno_is_a_field),
                cmocka_unit_test(event_has_its_id_and_fields),
                cmocka_unit_test(line_breaks_may_stay),
                cmocka_unit_test(hidden_message_is_not_sent),
        };
        char stream[64];
        struct stat st;

        /* As systemd does for a service. */
        if (fstat(STDERR_FILENO, &st) < 0)
                return EXIT_FAILURE;
        (void) snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t) st.st_dev,
                        (uintmax_t) st.st_ino);
        if (setenv("JOURNAL_STREAM", stream, 1) < 0 || unsetenv("DKV_DEBUG") < 0)
                return EXIT_FAILURE;

        return cmocka_run_group_tests(tests, NULL, NULL);
}
