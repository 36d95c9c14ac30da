/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "bench/run/client.h"

#define N_EVENTS   128
#define TICK_USEC  (20 * USEC_PER_MSEC) /* the resolution of time-outs */
#define PAUSE_USEC (20 * USEC_PER_MSEC)

int client_init(Client *client, const Run *run, unsigned number, size_t n_connections) {
        *client = (Client){
                .run = run,
                .random.state = run->options->seed + number * UINT64_C(0xa0761d6478bd642f),
                .shared = {
                        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                        .options = run->options,
                        .verify = run->verify,
                        .follow = run->follow,
                        .authorities = run->authorities,
                        .url = run->url,
                        .input = malloc(CONNECTION_BUFFER_SIZE),
                        .output = malloc(CONNECTION_BUFFER_SIZE),
                },
                .connections = calloc(n_connections, sizeof(Connection)),
                .tally = calloc(1, sizeof(Tally)),
        };

        if (client->shared.epoll_fd < 0)
                return -errno;
        if (!client->shared.input || !client->shared.output || !client->connections ||
            !client->tally)
                return -ENOMEM;

        client->n_connections = n_connections;
        for (size_t i = 0; i < n_connections; i++) {
                Connection *connection = client->connections + i;

                connection_init(connection, &client->shared);
                connection->next = client->idle;
                client->idle = connection;
        }

        return 0;
}

void client_done(Client *client) {
        for (size_t i = 0; i < client->n_connections; i++)
                connection_done(client->connections + i);

        free(client->connections);
        free(client->tally);
        free(client->shared.input);
        free(client->shared.output);
        closep(&client->shared.epoll_fd);
        *client = (Client){ .shared.epoll_fd = -1 };
}

/* The server is down or overloaded: a storm of requests would not help it to recover. */
static bool is_in_trouble(const Connection *connection) {
        return connection->outcome == OUTCOME_CONNECT ||
               (connection->outcome == OUTCOME_STATUS && connection->response.status >= 500);
}

/* It failed because of the state of the servers, which may change soon. */
static bool is_worth_a_retry(const Client *client, const Connection *connection) {
        return client->shared.now_usec < connection->retry_until_usec &&
               (is_in_trouble(connection) || connection->outcome == OUTCOME_RESET ||
                connection->outcome == OUTCOME_SHORT || connection->outcome == OUTCOME_TIMEOUT);
}

/* Records the outcome, or arranges for a retry. Returns 0 or a negative errno. */
static int finished(Client *client, Connection *connection) {
        const Run *run = client->run;
        const Operation *operation = &connection->operation;
        int r = 0;

        client->shared.now_usec = clock_monotonic();
        if (is_worth_a_retry(client, connection)) {
                client->tally->n_retries++;
                connection->is_repeated = true;
                connection->paused_until_usec = client->shared.now_usec + PAUSE_USEC;
                return 0;
        }

        client->n_active--;
        if (run->ledger && operation->type == OPERATION_PUT && connection->outcome == OUTCOME_OK)
                r = ledger_write(run->ledger, LEDGER_ACKNOWLEDGED, connection->path + 1, operation);
        load_finished(run->load, operation);

        tally_add(client->tally, connection, client->shared.now_usec - operation->start_usec);
        if (run->observe)
                run->observe(connection, run->userdata);

        /* There is no server at all. */
        if (connection->outcome == OUTCOME_CONNECT && !run->options->allow_errors &&
            tally_answered(client->tally) == 0)
                load_stop(run->load);

        if (is_in_trouble(connection))
                connection->paused_until_usec = client->shared.now_usec + PAUSE_USEC;
        else {
                connection->next = client->idle;
                client->idle = connection;
        }

        return r;
}

/* Sends the request. */
static int ask(Client *client, Connection *connection, const Operation *operation) {
        const Load *load = client->run->load;
        const char *target = load->targets ? load->targets[operation->number] : connection->path;

        return connection_start(connection, operation, target) ? finished(client, connection) : 0;
}

static int start(Client *client, Connection *connection, const Operation *operation) {
        const Run *run = client->run;
        int r;

        load_path(run->load, operation->number, connection->path);

        if (run->ledger && operation->type == OPERATION_PUT) {
                r = ledger_write(run->ledger, LEDGER_ATTEMPTED, connection->path + 1, operation);
                if (r < 0)
                        return r;
        }

        client->n_active++;
        connection->retry_until_usec = client->shared.now_usec + run->options->retry_usec;
        return ask(client, connection, operation);
}

/* The pause is over. Returns 0 or a negative errno. */
static int go_on(Client *client, Connection *connection) {
        const Operation operation = connection->operation;

        connection->paused_until_usec = 0;
        if (connection->is_repeated) {
                connection->is_repeated = false;
                return ask(client, connection, &operation);
        }

        connection->next = client->idle;
        client->idle = connection;
        return 0;
}

/* Starts operations that are due on idle connections. Returns 0, with the time at which the next
 * one is due, or a negative errno. */
static int start_idle(Client *client, uint64_t *ret_due) {
        *ret_due = UINT64_MAX;

        while (client->idle && !client->ended) {
                Connection *connection = client->idle;
                Operation operation;
                int r;

                r = load_next(client->run->load, &client->random, client->shared.now_usec,
                              &operation, ret_due);
                if (r == -EAGAIN)
                        return 0;
                if (r < 0) {
                        client->ended = true;
                        return 0;
                }

                client->idle = connection->next;
                r = start(client, connection, &operation);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int tick(Client *client) {
        uint64_t now = client->shared.now_usec;

        for (size_t i = 0; i < client->n_connections; i++) {
                Connection *connection = client->connections + i;
                int r;

                if (connection->link && connection_tick(connection)) {
                        r = finished(client, connection);
                        if (r < 0)
                                return r;
                }

                if (connection->paused_until_usec > 0 && now >= connection->paused_until_usec) {
                        r = go_on(client, connection);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

static int wait_for_events(Client *client, uint64_t until, struct epoll_event *events) {
        uint64_t now = client->shared.now_usec, usec = until > now ? until - now : 0;
        const struct timespec timeout = {
                .tv_sec = (time_t) (usec / USEC_PER_SEC),
                .tv_nsec = (long) (usec % USEC_PER_SEC * 1000),
        };
        int n = epoll_pwait2(client->shared.epoll_fd, events, N_EVENTS, &timeout, NULL);

        /* Linux before 5.11, valgrind: a rate is kept less evenly then. */
        if (n < 0 && errno == ENOSYS)
                n = epoll_wait(client->shared.epoll_fd, events, N_EVENTS,
                               (int) ((usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC));

        return n < 0 && errno != EINTR ? -errno : MAX(n, 0);
}

static int dispatch(Client *client, const struct epoll_event *event, uint64_t *ret_due) {
        Link *link = event->data.ptr;
        Connection *connection = link->connection;
        int r;

        if (!connection_on_event(connection, link, event->events))
                return 0;

        r = finished(client, connection);
        if (r < 0)
                return r;

        /* At once, so that the server has work while we handle the other events. */
        return start_idle(client, ret_due);
}

int client_loop(Client *client) {
        struct epoll_event events[N_EVENTS];
        uint64_t next_tick = 0, due = 0;
        int n, r;

        for (;;) {
                client->shared.now_usec = clock_monotonic();
                if (client->shared.now_usec >= next_tick) {
                        next_tick = client->shared.now_usec + TICK_USEC;
                        r = tick(client);
                        if (r < 0)
                                return r;
                }

                r = start_idle(client, &due);
                if (r < 0)
                        return r;
                if (client->ended && client->n_active == 0)
                        break;

                n = wait_for_events(client, MIN(due, next_tick), events);
                if (n < 0)
                        return n;

                client->shared.now_usec = clock_monotonic();
                for (int i = 0; i < n; i++) {
                        r = dispatch(client, events + i, &due);
                        if (r < 0)
                                return r;
                }
        }

        client->tally->usec = client->shared.now_usec - client->run->load->start_usec;
        return 0;
}
