/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Worker: what a server has on a loop. It accepts connections from sockets that all workers share,
 * gives each to a worker, and serves its own. For lib/http alone.
 *
 * Workers are filled one after another: requests that are served by one thread share calls to other
 * daemons and flushes, and few threads that have much to do are woken less often than many that
 * have little. So a connection goes to the first worker whose loop has time; when it has none
 * later, some of its connections move on between two requests, and when another one has time for
 * all that a worker does, all of them.
 *
 * Thread: any but a loop's, unless a function says otherwise. */

#include "http/connection.h"

/* Of a worker and a socket */
typedef struct HttpListener {
        LoopSource source;
        LoopTimer timer;    /* until it tries again */
        HttpWorker *worker; /* not owned */
        int fd;             /* not owned */
} HttpListener;

struct HttpWorker {
        HttpSite *site;         /* not owned */
        HttpCounters *counters; /* not owned */
        Loop *loop;             /* not owned */
        LoopTimeout silence;    /* nothing came or went */
        LoopTimeout linger;     /* a client does not read its last answer and close */
        LoopTimeout pause;      /* before it accepts again */
        char *input;            /* what has just come in, of whichever connection */
        uint8_t *output;        /* what is about to go out; likewise */
        HttpConnection *connections;
        HttpPlace *places; /* of those that have left HTTP */
        HttpListener *listeners;
        size_t n_listeners;
        LoopWaker waker; /* for http_worker_hurry() */
        atomic_uint n_connections;

        uint64_t balanced_usec; /* monotonic; when it was last looked whether some should move */
        LoopWaker mover;
        struct HttpWorker *heir; /* who gets them; not owned */
        unsigned n_moving;       /* while MOVER is put off */
};

/* SILENCE_USEC is how long a connection may neither send nor take anything while nobody waits
 * for us; up to N_LISTENERS sockets can be listened on. Returns 0 or a negative errno;
 * http_worker_done() comes last in any case. */
int http_worker_init(
                HttpWorker *worker,
                HttpSite *site,
                HttpCounters *counters,
                Loop *loop,
                size_t n_listeners,
                uint64_t silence_usec);

/* Listens no more; when all workers are closed, none gets a connection any more. */
void http_worker_close(HttpWorker *worker);

/* Cuts what is left. All workers must have been closed. */
void http_worker_done(HttpWorker *worker);

/* Accepts from FD, which must not block, for all workers. Returns 0 or a negative errno. */
int http_worker_listen(HttpWorker *worker, int fd);

/* Accepts no more, but for a connection that it is about to. Thread: any. */
void http_worker_stop_listening(HttpWorker *worker);

/* A request is over: has connections move to another worker soon if they should. Thread: the
 * loop's. */
void http_worker_balance(HttpWorker *worker);

/* No request waits for others any more: see http_drain_hurry(), which comes first. Once. Thread:
 * any. */
void http_worker_hurry(HttpWorker *worker);
