/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "bench/run/client.h"
#include "frame/complaint.h"

/* For the signal handler, which stops the load, so that the results so far are reported. */
static Load *running;

static void on_interrupt(int signal) {
        load_stop(running);
}

static void set_interrupt(Load *load) {
        const struct sigaction action = {
                .sa_handler = load ? on_interrupt : SIG_DFL,
                .sa_flags = SA_RESETHAND, /* the second one ends the program */
        };

        if (load)
                running = load;
        (void) sigaction(SIGINT, &action, NULL); /* cannot fail for a valid signal */
}

static void *client_thread(void *userdata) {
        Client *client = userdata;

        client->error = client_loop(client);
        if (client->error < 0)
                load_stop(client->run->load);
        return NULL;
}

static void show_progress(const Client *clients, size_t n, uint64_t start, uint64_t *last) {
        uint64_t n_answered = 0, n_failed = 0;

        for (size_t i = 0; i < n; i++) {
                n_answered += atomic_load_explicit(
                                &clients[i].tally->n_answered, memory_order_relaxed);
                n_failed += atomic_load_explicit(&clients[i].tally->n_failed, memory_order_relaxed);
        }

        (void) fprintf(stderr,
                       "\r\033[K%3" PRIu64 " s  %" PRIu64 " requests  %" PRIu64 "/s  %" PRIu64
                       " failed",
                       (clock_monotonic() - start) / USEC_PER_SEC, n_answered, n_answered - *last,
                       n_failed);
        *last = n_answered;
}

/* Returns when all threads have ended. */
static void join(const Run *run, const Client *clients, size_t n) {
        uint64_t last = 0;
        struct timespec next;

        (void) clock_gettime(CLOCK_REALTIME, &next);
        for (size_t i = 0; i < n;) {
                int r;

                next.tv_sec++;
                while ((r = pthread_timedjoin_np(clients[i].thread, NULL, &next)) == 0 && ++i < n)
                        ;
                if (r != 0 && run->progress)
                        show_progress(clients, n, run->load->start_usec, &last);
        }

        if (run->progress)
                (void) fputs("\r\033[K", stderr);
}

static int run_threads(const Run *run, Client *clients, size_t n) {
        size_t n_started;
        int r = 0;

        load_start(run->load, clock_monotonic());
        for (n_started = 0; n_started < n; n_started++) {
                r = -pthread_create(
                                &clients[n_started].thread, NULL, client_thread,
                                clients + n_started);
                if (r < 0) {
                        load_stop(run->load);
                        break;
                }
        }

        join(run, clients, n_started);
        for (size_t i = 0; i < n_started && r >= 0; i++)
                r = clients[i].error;

        return r;
}

/* Each connection needs descriptors; if there are too few, connections fail. */
static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;

        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

int run_execute(const Run *run, Tally *ret_tally) {
        size_t n_connections = run->options->connections;
        size_t n = MIN(run->options->threads, n_connections), n_ready;
        _cleanup_free_ Client *clients = calloc(n, sizeof(*clients));
        int r = 0;

        if (!clients)
                return complain(-ENOMEM, "Failed to start: %m");

        raise_limit();
        for (n_ready = 0; n_ready < n && r >= 0; n_ready++)
                r = client_init(clients + n_ready, run, (unsigned) n_ready,
                                n_connections / n + (n_ready < n_connections % n));

        if (r >= 0) {
                set_interrupt(run->load);
                r = run_threads(run, clients, n);
                set_interrupt(NULL);
        }
        if (r < 0)
                complain(r, "Failed to run the load: %m");

        for (size_t i = 0; i < n_ready; i++) {
                if (r >= 0)
                        tally_merge(ret_tally, clients[i].tally);
                client_done(clients + i);
        }

        return r;
}
