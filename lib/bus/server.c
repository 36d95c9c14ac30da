/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "bus/server.h"

#define RETRY_USEC    (5 * USEC_PER_SEC)
#define ACCURACY_USEC USEC_PER_MSEC

/* Replies to RequestName. */
#define NAME_IS_OURS         1
#define NAME_IS_ALREADY_OURS 4

#define STATE_UNKNOWN 1

struct BusServer {
        sd_event *event;
        char *address, *name;
        const BusObject *objects; /* not owned */
        void *userdata;
        void (*on_state)(int r, void *userdata);
        void (*on_call)(void *userdata);

        sd_bus *bus;            /* NULL between two attempts */
        int state;              /* as on_state() was told last */
        sd_event_source *retry; /* armed once BUS is given up */

        int wake_fd; /* the loop has something deferred to do */
        sd_event_source *wake;
        pthread_mutex_t lock; /* of these: */
        BusDeferred *deferred, **tail;
};

static void set_state(BusServer *server, int r) {
        if (r == server->state)
                return;

        server->state = r;
        if (server->on_state)
                server->on_state(r, server->userdata);
}

/* Nothing more can come from this connection. */
static void give_up(BusServer *server, int error) {
        int r;

        set_state(server, error);
        r = sd_event_source_set_time_relative(server->retry, RETRY_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->retry, SD_EVENT_ONESHOT);
        assert(r >= 0); /* fails only for a loop that has ended */
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BusServer *server = userdata;
        uint32_t answer;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                give_up(server, -sd_bus_message_get_errno(reply));
                return 0;
        }

        r = sd_bus_message_read(reply, "u", &answer);
        if (r >= 0 && answer != NAME_IS_OURS && answer != NAME_IS_ALREADY_OURS)
                r = -EEXIST;
        if (r < 0)
                give_up(server, r);
        else
                set_state(server, 0);
        return 0;
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        BusServer *server = userdata;

        /* If a failure was told already, its reason is the better one. */
        give_up(server, server->state < 0 ? server->state : -ECONNRESET);
        return 0;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusServer *server = userdata;

        if (sd_bus_message_is_method_call(message, NULL, NULL) > 0)
                server->on_call(server->userdata);
        return 0; /* others handle it */
}

static int serve(BusServer *server, sd_bus *bus) {
        int r;

        if (server->on_call) {
                r = sd_bus_add_filter(bus, NULL, on_message, server);
                if (r < 0)
                        return r;
        }
        return bus_add_objects(bus, server->objects, server->userdata);
}

static int connect_bus(BusServer *server) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = bus_open(server->address, &bus);
        if (r < 0)
                return r;
        r = sd_bus_set_exit_on_disconnect(bus, false);
        if (r < 0)
                return r;
        r = sd_bus_set_close_on_exit(bus, false); /* which would wait for the bus */
        if (r < 0)
                return r;
        r = sd_bus_match_signal_async(
                        bus, NULL, "org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local",
                        "Disconnected", on_disconnected, NULL, server);
        if (r < 0)
                return r;
        r = serve(server, bus);
        if (r < 0)
                return r;
        r = sd_bus_request_name_async(bus, NULL, server->name, 0, on_name, server);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, server->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        server->bus = TAKE_PTR(bus);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        BusServer *server = userdata;
        int r;

        server->bus = sd_bus_close_unref(server->bus);
        r = connect_bus(server);
        if (r < 0)
                give_up(server, r);
        return 0;
}

void bus_server_run_deferred(BusServer *server) {
        BusDeferred *deferred;

        (void) pthread_mutex_lock(&server->lock);
        deferred = server->deferred;
        server->deferred = NULL;
        server->tail = &server->deferred;
        (void) pthread_mutex_unlock(&server->lock);

        while (deferred) {
                BusDeferred *next = deferred->next;

                deferred->run(deferred);
                deferred = next;
        }
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        uint64_t count;

        /* The counter is emptied first: what is deferred from now on wakes the loop again. */
        (void) eventfd_read(fd, &count);
        bus_server_run_deferred(userdata);
        return 0;
}

void bus_defer(BusServer *server, BusDeferred *deferred) {
        assert(server);
        assert(deferred->run);

        deferred->next = NULL;
        (void) pthread_mutex_lock(&server->lock);
        *server->tail = deferred;
        server->tail = &deferred->next;
        (void) pthread_mutex_unlock(&server->lock);

        /* Fails only if the counter is at its maximum, which wakes the loop as well. */
        (void) eventfd_write(server->wake_fd, 1);
}

static int add_sources(BusServer *server) {
        int r;

        server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (server->wake_fd < 0)
                return -errno;
        r = sd_event_add_io(
                        server->event, &server->wake, server->wake_fd, EPOLLIN, on_wake, server);
        if (r < 0)
                return r;
        if (server->bus || strcmp(server->address, "none") == 0)
                return 0;
        return sd_event_add_time_relative(
                        server->event, &server->retry, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_retry,
                        server);
}

int bus_server_new(sd_event *event, const BusServerOptions *options, BusServer **ret) {
        _cleanup_(bus_server_freep) BusServer *server = NULL;
        int r;

        assert(event);
        assert(options->bus || (options->address && options->name));
        assert(options->objects);
        assert(ret);

        server = malloc(sizeof(*server));
        if (!server)
                return -ENOMEM;

        *server = (BusServer){
                .event = sd_event_ref(event),
                .address = strdup(options->address ?: "none"),
                .name = strdup(options->name ?: ""),
                .bus = sd_bus_ref(options->bus),
                .objects = options->objects,
                .userdata = options->userdata,
                .on_state = options->on_state,
                .on_call = options->on_call,
                .state = STATE_UNKNOWN,
                .wake_fd = -1,
                .tail = &server->deferred,
        };
        (void) pthread_mutex_init(&server->lock, NULL);
        if (!server->address || !server->name)
                return -ENOMEM;
        r = add_sources(server);
        if (r < 0)
                return r;
        if (server->bus) {
                r = serve(server, server->bus);
                if (r < 0)
                        return r;
                server->state = 0;
        }

        *ret = TAKE_PTR(server);
        return 0;
}

BusServer *bus_server_free(BusServer *server) {
        if (!server)
                return NULL;

        bus_server_run_deferred(server);
        (void) sd_event_source_disable_unref(server->wake);
        (void) sd_event_source_disable_unref(server->retry);
        (void) sd_bus_close_unref(server->bus);
        closep(&server->wake_fd);
        (void) pthread_mutex_destroy(&server->lock);
        (void) sd_event_unref(server->event);
        free(server->address);
        free(server->name);
        free(server);
        return NULL;
}

sd_bus *bus_server_bus(BusServer *server) {
        return server && server->state == 0 ? server->bus : NULL;
}
