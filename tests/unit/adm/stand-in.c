/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/stand-in.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adm/words.h"
#include "base/macro.h"
#include "bus/bus.h"

#define ADDRESS_SIZE 256

static const char *const names[] = { "org.dkv.Master1", "org.dkv.Volume1.i7",
                                     "org.freedesktop.systemd1" };

static struct {
        pid_t daemon;
        char address[ADDRESS_SIZE];
        pthread_t thread;
        bool ended; /* of the thread */
        sd_bus *bus;
        bool has_names;

        pthread_mutex_t lock; /* of all below */
        Answer answers[ANSWERS_MAX];
        char *calls; /* owned */
        size_t size;
        FILE *file;
} stand_in = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char config[] =
                "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>"
                "<auth>EXTERNAL</auth><policy context=\"default\">"
                "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
                "<allow own=\"*\"/></policy></busconfig>";

_noreturn_ static void run_daemon(int config_fd, int address_fd) {
        char file[64], number[32];

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) snprintf(file, sizeof(file), "--config-file=/dev/fd/%d", config_fd);
        (void) snprintf(number, sizeof(number), "--print-address=%d", address_fd);
        (void) freopen("/dev/null", "w", stderr);
        (void) execlp("dbus-daemon", "dbus-daemon", "--nofork", file, number, (char *) NULL);
        _exit(127);
}

/* Returns whether there is one. */
static bool start_daemon(void) {
        int config_fd = memfd_create("bus.conf", 0), address_ends[2];
        ssize_t n;

        assert_ok(config_fd);
        assert_int_equal(write(config_fd, config, strlen(config)), strlen(config));
        assert_ok(pipe(address_ends));

        stand_in.daemon = fork();
        if (stand_in.daemon == 0) {
                (void) close(address_ends[0]);
                run_daemon(config_fd, address_ends[1]);
        }
        assert_true(stand_in.daemon > 0);
        (void) close(config_fd);
        (void) close(address_ends[1]);
        n = read(address_ends[0], stand_in.address, sizeof(stand_in.address) - 1);
        (void) close(address_ends[0]);
        stand_in.address[n > 0 ? n : 0] = '\0';
        stand_in.address[strcspn(stand_in.address, "\n")] = '\0';
        return *stand_in.address;
}

static const Answer *find_answer(const char *member, const char *path) {
        for (Answer *answer = stand_in.answers;
             answer < stand_in.answers + ANSWERS_MAX && answer->member; answer++) {
                if (strcmp(answer->member, member) != 0 ||
                    (answer->path && strcmp(answer->path, path) != 0) || answer->times == UINT_MAX)
                        continue;
                if (answer->times == 1)
                        answer->times = UINT_MAX; /* the last of them */
                else if (answer->times > 1)
                        answer->times--;
                return answer;
        }
        return NULL;
}

static int send_signal(sd_bus_message *call, const Answer *answer) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;

        assert_ok(sd_bus_message_new_signal(
                        sd_bus_message_get_bus(call), &signal, sd_bus_message_get_path(call),
                        sd_bus_message_get_interface(call), answer->signal));
        words_append(signal, answer->signal_types, answer->signal_text);
        return sd_bus_send(NULL, signal, NULL);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path = sd_bus_message_get_path(call), *member = sd_bus_message_get_member(call);
        const Answer *answer;
        Answer copy = {};

        (void) pthread_mutex_lock(&stand_in.lock);
        (void) fprintf(stand_in.file, "%s %s", member, strrchr(path, '/') + 1);
        words_print(stand_in.file, call);
        (void) putc('\n', stand_in.file);
        answer = find_answer(member, path);
        if (answer)
                copy = *answer;
        (void) pthread_mutex_unlock(&stand_in.lock);

        if (!answer)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "There is no answer.");
        if (copy.error)
                return sd_bus_error_set(error, copy.error, copy.text);

        assert_ok(sd_bus_message_new_method_return(call, &reply));
        if (copy.types)
                words_append(reply, copy.types, copy.text);
        assert_ok(sd_bus_send(NULL, reply, NULL));
        if (copy.signal)
                assert_ok(send_signal(call, &copy));
        return 1;
}

/* The bus belongs to this thread for as long as it runs. */
static void *run(void *userdata) {
        while (!stand_in.ended) {
                int r = sd_bus_process(stand_in.bus, NULL);

                assert_ok(r);
                if (r == 0)
                        assert_ok(sd_bus_wait(stand_in.bus, UINT64_MAX));
        }
        return NULL;
}

static void start_thread(void) {
        stand_in.ended = false;
        assert_int_equal(pthread_create(&stand_in.thread, NULL, run, NULL), 0);
}

/* A call is what wakes the thread. */
static int on_end(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        stand_in.ended = true;
        (void) sd_bus_reply_method_return(call, "");
        return sd_bus_flush(stand_in.bus);
}

static void stop_thread(void) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        assert_ok(bus_open(stand_in.address, &bus));
        assert_ok(sd_bus_call_method(bus, names[1], "/end", "org.dkv.Test", "End", NULL, NULL, ""));
        assert_int_equal(pthread_join(stand_in.thread, NULL), 0);
}

static void take_names(void) {
        for (size_t i = 0; i < ELEMENTSOF(names) && !stand_in.has_names; i++)
                if (i != 1 || !stand_in.thread)
                        assert_ok(sd_bus_request_name(stand_in.bus, names[i], 0));
        stand_in.has_names = true;
}

const char *stand_in_start(void) {
        if (!start_daemon())
                return NULL;

        stand_in.file = open_memstream(&stand_in.calls, &stand_in.size);
        assert_non_null(stand_in.file);
        assert_ok(bus_open(stand_in.address, &stand_in.bus));
        assert_ok(sd_bus_add_object(stand_in.bus, NULL, "/end", on_end, NULL));
        assert_ok(sd_bus_add_fallback(stand_in.bus, NULL, "/org", on_call, NULL));
        take_names();
        start_thread();
        return stand_in.address;
}

const char *stand_in_address(void) {
        return stand_in.address;
}

void stand_in_stop(void) {
        stop_thread();
        stand_in.bus = sd_bus_flush_close_unref(stand_in.bus);
        (void) fclose(stand_in.file);
        free(stand_in.calls);
        (void) kill(stand_in.daemon, SIGKILL);
        (void) waitpid(stand_in.daemon, NULL, 0);
}

void stand_in_set(const Answer answers[static ANSWERS_MAX]) {
        if (!stand_in.has_names) {
                stop_thread();
                take_names();
                start_thread();
        }

        (void) pthread_mutex_lock(&stand_in.lock);
        memcpy(stand_in.answers, answers, sizeof(stand_in.answers));
        assert_int_equal(fclose(stand_in.file), 0);
        free(stand_in.calls);
        stand_in.file = open_memstream(&stand_in.calls, &stand_in.size);
        assert_non_null(stand_in.file);
        (void) pthread_mutex_unlock(&stand_in.lock);
}

const char *stand_in_calls(void) {
        (void) pthread_mutex_lock(&stand_in.lock);
        assert_int_equal(fflush(stand_in.file), 0);
        (void) pthread_mutex_unlock(&stand_in.lock);
        return stand_in.calls;
}

void stand_in_leave(void) {
        stop_thread();
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (i != 1) /* by which the thread is stopped */
                        assert_ok(sd_bus_release_name(stand_in.bus, names[i]));
        stand_in.has_names = false;
        start_thread();
}

bool matches(const char *pattern, const char *text) {
        for (; *pattern && *pattern != '*'; pattern++, text++)
                if (*pattern != *text)
                        return false;
        if (*pattern == '\0')
                return *text == '\0';

        for (;; text++) {
                if (matches(pattern + 1, text))
                        return true;
                if (*text == '\0')
                        return false;
        }
}

void assert_matches(const char *text, const char *pattern) {
        if (!matches(pattern, text))
                fail_msg("\n--- is\n%s\n--- should be\n%s\n---", text, pattern);
}
