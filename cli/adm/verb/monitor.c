/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Watches the cluster: as a page that is redrawn every second, or as a line per second without a
 * terminal. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/context/explanation.h"
#include "adm/verb/monitor.h"
#include "adm/view/monitor-page.h"
#include "base/periodic.h"
#include "frame/screen.h"
#include "frame/terminal.h"

#define INTERVAL_MAX 3600 /* seconds */

typedef struct Monitor {
        Context *context;
        sd_event *event;
        Periodic *timer;
        ViewQuestion *question; /* NULL if none is in flight */
        View *view, *previous;
        Explanation explanation; /* why the last question had no answer */
        double history[HISTORY_MAX];
        size_t n_history;
        bool screen;
} Monitor;

static void monitor_done(Monitor *monitor) {
        if (monitor->screen)
                screen_leave();
        (void) view_question_free(monitor->question);
        if (monitor->context->connection.bus)
                (void) sd_bus_detach_event(monitor->context->connection.bus);
        (void) periodic_free(monitor->timer);
        (void) view_free(monitor->view);
        (void) view_free(monitor->previous);
        explanation_done(&monitor->explanation);
        (void) sd_event_unref(monitor->event);
}

static int show_line(const Monitor *monitor, const MonitorPage *page) {
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;

        if (monitor->context->output.json != JSON_OFF) {
                json = monitor_page_to_json(page);
                text = json_format(json, monitor->context->output.json == JSON_PRETTY);
        } else
                text = monitor_line_format(page);

        if (!text)
                return -ENOMEM;
        return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : -errno;
}

/* If the page cannot be shown, nobody is looking: the program ends. */
static void show(Monitor *monitor) {
        _cleanup_free_ char *text = NULL;
        MonitorPage page = {
                .view = monitor->explanation.reason ? NULL : monitor->view,
                .previous = monitor->previous,
                .reason = monitor->explanation.reason,
                .advice = monitor->explanation.advice,
                .history = monitor->history,
                .n_history = monitor->n_history,
                .look = output_look(&monitor->context->output),
        };
        unsigned columns;
        int r;

        if (!page.view && !page.reason)
                return; /* nothing is known yet */

        if (!monitor->screen)
                r = show_line(monitor, &page);
        else {
                (void) terminal_size(&columns, &page.lines);
                text = monitor_page_format(&page);
                r = text ? screen_draw(text) : -ENOMEM;
        }

        if (r < 0)
                (void) sd_event_exit(monitor->event, r);
}

static void remember(Monitor *monitor) {
        if (!monitor->previous)
                return;

        if (monitor->n_history == HISTORY_MAX)
                memmove(monitor->history, monitor->history + 1,
                        --monitor->n_history * sizeof(*monitor->history));
        monitor->history[monitor->n_history++] = rates_between(monitor->previous, monitor->view)
                                                                 .requests;
}

static void set_reason(Monitor *monitor, int error, const sd_bus_error *bus_error) {
        int r;

        explanation_done(&monitor->explanation);
        r = explanation_init(
                        &monitor->explanation, &monitor->context->connection, error, bus_error);
        if (r < 0)
                (void) sd_event_exit(monitor->event, r);
}

static void on_view(View *view, int result, const sd_bus_error *error, void *userdata) {
        Monitor *monitor = userdata;

        if (result < 0)
                set_reason(monitor, result, error);
        else {
                (void) view_free(monitor->previous);
                monitor->previous = monitor->view;
                monitor->view = view;
                explanation_done(&monitor->explanation);
                remember(monitor);
        }

        monitor->question = view_question_free(monitor->question);
        show(monitor);
}

/* The bus may go away and come back, and so may the master. */
static int ask(Monitor *monitor) {
        Context *context = monitor->context;
        int r;

        connection_drop_if_lost(&context->connection);
        if (!context->connection.bus) {
                r = connection_open(&context->connection);
                if (r < 0)
                        return r;
        }
        if (!sd_bus_get_event(context->connection.bus)) {
                r = sd_bus_attach_event(
                                context->connection.bus, monitor->event, SD_EVENT_PRIORITY_NORMAL);
                if (r < 0)
                        return r;
        }

        return view_ask(context->connection.bus, on_view, monitor, &monitor->question);
}

static void on_tick(void *userdata) {
        Monitor *monitor = userdata;
        int r;

        if (monitor->question)
                return; /* it will be answered, or time out */

        r = ask(monitor);
        if (r < 0) {
                set_reason(monitor, r, NULL);
                show(monitor);
        }
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Monitor *monitor = userdata;
        char keys[64];
        ssize_t n = read(fd, keys, sizeof(keys));

        if (n <= 0 || memchr(keys, 'q', (size_t) n) || memchr(keys, 'Q', (size_t) n))
                (void) sd_event_exit(monitor->event, 0);
        return 0;
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        show(userdata);
        return 0;
}

static int add_signals(Monitor *monitor) {
        static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                (void) sigaddset(&mask, ends[i]);
        (void) sigaddset(&mask, SIGWINCH);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                r = sd_event_add_signal(monitor->event, NULL, ends[i], NULL, NULL);
                if (r < 0)
                        return r;
        }

        return monitor->screen ? sd_event_add_signal(
                                                 monitor->event, NULL, SIGWINCH, on_resize, monitor)
                               : 0;
}

static int start(Monitor *monitor, uint64_t interval_usec) {
        int r;

        r = sd_event_default(&monitor->event);
        if (r < 0)
                return r;
        r = add_signals(monitor);
        if (r < 0)
                return r;
        r = periodic_new(monitor->event, 0, interval_usec, on_tick, monitor, &monitor->timer);
        if (r < 0 || !monitor->screen)
                return r;

        r = sd_event_add_io(monitor->event, NULL, STDIN_FILENO, EPOLLIN, on_key, monitor);
        return r < 0 ? r : screen_enter();
}

int verb_monitor(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(monitor_done) Monitor monitor = {
                .context = context,
                .screen = context->output.json == JSON_OFF && isatty(STDIN_FILENO) &&
                          isatty(STDOUT_FILENO),
        };
        uint64_t seconds = context->options.interval ?: 1;
        int r;

        if (seconds > INTERVAL_MAX)
                return complain_usage(
                                "--interval takes a number of seconds from 1 to %d.", INTERVAL_MAX);
        r = start(&monitor, seconds * USEC_PER_SEC);
        if (r >= 0)
                r = sd_event_loop(monitor.event);
        if (r < 0 && r != -EPIPE) {
                if (monitor.screen)
                        screen_leave(); /* or the complaint would vanish with it */
                return complain(r, "Failed to watch the cluster: %m");
        }

        return 0;
}
