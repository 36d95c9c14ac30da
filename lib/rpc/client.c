/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utlist.h>

#include "base/clock.h"
#include "rpc/call-internal.h"
#include "rpc/client-internal.h"

/* How many connections are kept alive while no call uses them */
#define IDLE_CONNECTIONS 256U

/* Calls to URL that have not moved for USEC are ended. */
struct HttpSilence {
        HttpSilence *next;
        uint64_t usec;
        char url[];
};

static void wake_thread(HttpClient *client) {
        uint64_t one = 1;

        (void) !write(client->wake_fd, &one, sizeof(one)); /* fails only if it is set already */
}

void http_client_command(HttpClient *client, HttpCall *call, HttpCallCommand command) {
        bool wake, closed;

        (void) pthread_mutex_lock(&client->lock);
        closed = client->closed;
        wake = !closed && !client->queue; /* otherwise somebody has woken it already */
        if (!closed) {
                if (!call->commands) {
                        (void) http_call_ref(call);
                        DL_APPEND2(client->queue, call, queue_prev, queue_next);
                }
                call->commands |= command;
        }
        (void) pthread_mutex_unlock(&client->lock);

        if (wake)
                wake_thread(client);
        if (closed && (command & HTTP_CALL_START))
                http_call_done(call, -ESHUTDOWN);
}

int http_client_post(
                HttpClient *client,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata) {
        int r;

        assert(client);

        r = http_posts_add(&client->posts, delay_usec, function, userdata);
        if (r > 0)
                wake_thread(client);
        return MIN(r, 0);
}

static CURL *take_easy(HttpClient *client) {
        return client->n_idle > 0 ? client->idle[--client->n_idle] : curl_easy_init();
}

static void give_easy(HttpClient *client, CURL *easy) {
        if (client->n_idle == IDLE_MAX) {
                curl_easy_cleanup(easy);
                return;
        }

        curl_easy_reset(easy);
        client->idle[client->n_idle++] = easy;
}

/* The last thing that happens to an active call. */
static void end_call(HttpClient *client, HttpCall *call, int error) {
        (void) curl_multi_remove_handle(client->multi, call->easy);
        DL_DELETE(client->active, call);
        call->resume_timer = sd_event_source_disable_unref(call->resume_timer);

        http_call_done(call, error);

        give_easy(client, TAKE_PTR(call->easy));
        (void) http_call_unref(call);
}

/* A stalled call is noticed an eighth of the least stall timeout too late at most. */
static void arm_stall_timer(HttpClient *client, uint64_t now) {
        (void) sd_event_source_set_time(
                        client->stall_timer, now + client->least_stall_timeout_usec / 8);
        (void) sd_event_source_set_enabled(
                        client->stall_timer, client->active ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void start_call(HttpClient *client, HttpCall *call) {
        bool is_first = !client->active;
        int r = -ENOMEM;

        call->easy = take_easy(client);
        if (call->easy)
                r = http_call_prepare(call, call->easy);
        if (r >= 0 && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
                r = -ENOMEM;
        if (r < 0) {
                if (call->easy)
                        curl_easy_cleanup(TAKE_PTR(call->easy));
                http_call_done(call, r);
                return;
        }

        call->progress_usec = clock_monotonic();
        (void) http_call_ref(call);
        DL_APPEND(client->active, call);
        if (is_first || call->stall_timeout_usec < client->least_stall_timeout_usec) {
                client->least_stall_timeout_usec = call->stall_timeout_usec;
                arm_stall_timer(client, call->progress_usec);
        }
}

static HttpCall *take_command(HttpClient *client, HttpCallCommand *ret) {
        HttpCall *call;

        (void) pthread_mutex_lock(&client->lock);
        call = client->queue;
        if (call) {
                DL_DELETE2(client->queue, call, queue_prev, queue_next);
                *ret = call->commands;
                call->commands = 0;
        }
        (void) pthread_mutex_unlock(&client->lock);

        return call;
}

/* If a timeout of libcurl ended the call, it was that of the connection: no other is set. */
static int error_from_code(CURLcode code) {
        switch (code) {
        case CURLE_OK:
                return 0;
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_OPERATION_TIMEDOUT:
                return -EHOSTDOWN;
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_SEND_FAIL_REWIND:
                return -ECONNRESET;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
                return -EINVAL;
        default:
                return -EREMOTEIO;
        }
}

/* libcurl gives what it has kept to the sink at once. If the sink fails then, libcurl says so here
 * and nowhere else: it would wait for the other side until the call stalls.
 *
 * CURLE_BAD_FUNCTION_ARGUMENT means that the transfer has no connection. Either it has ended, and
 * end_finished() is about to find out how, or it is about to be sent once more. */
static void resume_call(HttpClient *client, HttpCall *call) {
        CURLcode code;

        call->paused = false;
        call->progress_usec = clock_monotonic();
        code = curl_easy_pause(call->easy, CURLPAUSE_CONT);
        if (code != CURLE_OK && code != CURLE_BAD_FUNCTION_ARGUMENT)
                end_call(client, call, call->error ?: error_from_code(code));
}

static void run_commands(HttpClient *client) {
        HttpCallCommand commands;
        HttpCall *call;

        while ((call = take_command(client, &commands))) {
                if (commands & HTTP_CALL_CANCEL)
                        call->canceled = true;
                if (commands & HTTP_CALL_START)
                        start_call(client, call);

                /* A call without a handle has not begun yet, or has ended. */
                if (call->easy && call->canceled)
                        end_call(client, call, -ECANCELED);
                else if (call->easy && call->paused && (commands & HTTP_CALL_RESUME))
                        resume_call(client, call);

                (void) http_call_unref(call);
        }
}

static void run_posts(HttpClient *client) {
        uint64_t next = http_posts_run(&client->posts, clock_monotonic());

        (void) sd_event_source_set_time(client->post_timer, next);
        (void) sd_event_source_set_enabled(
                        client->post_timer, next == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void end_finished(HttpClient *client) {
        CURLMsg *message;
        int n;

        while ((message = curl_multi_info_read(client->multi, &n))) {
                CURLcode code = message->data.result;
                long os_error = 0;
                HttpCall *call;

                (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
                (void) curl_easy_getinfo(message->easy_handle, CURLINFO_OS_ERRNO, &os_error);
                call->os_error = (int) os_error;
                end_call(client, call, call->error ?: error_from_code(code));
        }
}

/* Does all that may be due after anything has happened. */
static void settle(HttpClient *client) {
        int n_running;

        do {
                run_commands(client);
                while (client->is_due) {
                        client->is_due = false;
                        (void) curl_multi_socket_action(
                                        client->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
                }
                end_finished(client);
        } while (client->is_due);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpClient *client = userdata;
        uint64_t count;

        /* Others that are about to ask for something get the time to do so: posts that gather work
         * then find more of it. */
        (void) sched_yield();

        (void) !read(fd, &count, sizeof(count));
        run_posts(client);
        settle(client);
        return 0;
}

static int on_post_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpClient *client = userdata;

        run_posts(client);
        settle(client);
        return 0;
}

static int on_stall_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpClient *client = userdata;
        uint64_t now = clock_monotonic();
        HttpCall *call, *next;

        DL_FOREACH_SAFE(client->active, call, next)
        if (http_call_look(call, now) >= call->stall_timeout_usec)
                end_call(client, call, -ETIMEDOUT);

        settle(client);
        arm_stall_timer(client, now);
        return 0;
}

static void end_silent_at(HttpClient *client, const HttpSilence *silence) {
        uint64_t now = clock_monotonic();
        size_t n = strlen(silence->url);
        HttpCall *call, *next;

        DL_FOREACH_SAFE(client->active, call, next)
        if (strncmp(call->url, silence->url, n) == 0 && call->url[n] == '/' &&
            http_call_look(call, now) >= silence->usec)
                end_call(client, call, -EHOSTDOWN);
}

static void free_silences(HttpSilence *silences) {
        HttpSilence *silence, *next;

        LL_FOREACH_SAFE(silences, silence, next)
        free(silence);
}

static void end_silent(void *userdata) {
        HttpClient *client = userdata;
        HttpSilence *silences;

        (void) pthread_mutex_lock(&client->lock);
        silences = TAKE_PTR(client->silences);
        (void) pthread_mutex_unlock(&client->lock);

        for (const HttpSilence *silence = silences; silence; silence = silence->next)
                end_silent_at(client, silence);
        free_silences(silences);
}

void http_client_end_silent(HttpClient *client, const char *url, uint64_t silent_usec) {
        size_t size = strlen(url) + 1;
        HttpSilence *silence = malloc(sizeof(*silence) + size);

        if (!silence)
                return; /* the caller will ask again */

        *silence = (HttpSilence){ .usec = silent_usec };
        memcpy(silence->url, url, size);
        (void) pthread_mutex_lock(&client->lock);
        LL_PREPEND(client->silences, silence);
        (void) pthread_mutex_unlock(&client->lock);

        (void) http_client_post(client, 0, end_silent, client);
}

static int on_curl_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpClient *client = userdata;

        client->is_due = true;
        settle(client);
        return 0;
}

static int on_socket_event(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpClient *client = userdata;
        int action = 0, n_running;

        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                action |= CURL_CSELECT_IN;
        if (events & (EPOLLOUT | EPOLLERR))
                action |= CURL_CSELECT_OUT;

        (void) curl_multi_socket_action(client->multi, fd, action, &n_running);
        settle(client);
        return 0;
}

static int on_resume_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpCall *call = userdata;
        HttpClient *client = call->client;

        if (call->paused)
                resume_call(client, call);
        settle(client);
        return 0;
}

int http_call_resume_after(HttpCall *call, uint64_t usec) {
        HttpClient *client = call->client;
        int r;

        if (!call->resume_timer)
                return sd_event_add_time_relative(
                                client->event, &call->resume_timer, CLOCK_MONOTONIC, usec,
                                USEC_PER_MSEC, on_resume_timer, call);

        r = sd_event_source_set_time_relative(call->resume_timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(call->resume_timer, SD_EVENT_ONESHOT);
}

/* libcurl: watch this socket. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket) {
        HttpClient *client = userdata;
        sd_event_source *source = socket;
        uint32_t events = 0;

        if (what == CURL_POLL_REMOVE) {
                (void) sd_event_source_disable_unref(source);
                return 0;
        }

        if (what & CURL_POLL_IN)
                events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                events |= EPOLLOUT;

        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(client->event, &source, fd, events, on_socket_event, client) < 0)
                return -1;

        (void) curl_multi_assign(client->multi, fd, source);
        return 0;
}

/* libcurl: call again after TIMEOUT_MS. */
static int on_curl_timeout(CURLM *multi, long timeout_ms, void *userdata) {
        HttpClient *client = userdata;
        int r;

        if (timeout_ms == 0)
                client->is_due = true; /* but not from in here */
        if (timeout_ms <= 0)
                return sd_event_source_set_enabled(client->curl_timer, SD_EVENT_OFF) < 0 ? -1 : 0;

        r = sd_event_source_set_time_relative(
                        client->curl_timer, (uint64_t) timeout_ms * USEC_PER_MSEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(client->curl_timer, SD_EVENT_ONESHOT);
        return r < 0 ? -1 : 0;
}

/* The end of a call may start others, so this goes on until none is left. */
static void end_all(HttpClient *client) {
        bool is_empty;

        do {
                run_commands(client);
                while (client->active)
                        end_call(client, client->active, -ESHUTDOWN);

                (void) pthread_mutex_lock(&client->lock);
                is_empty = !client->queue;
                client->closed = is_empty;
                (void) pthread_mutex_unlock(&client->lock);
        } while (!is_empty);
}

static void *run(void *userdata) {
        HttpClient *client = userdata;
        int r = 0;

        while (r >= 0 && !atomic_load(&client->stopping))
                r = sd_event_run(client->event, UINT64_MAX);
        if (r < 0 && client->on_broken)
                client->on_broken(r); /* epoll or our own descriptors do not work */

        end_all(client);
        return NULL;
}

static int add_timer(HttpClient *client, sd_event_time_handler_t handler, sd_event_source **ret) {
        int r;

        r = sd_event_add_time(
                        client->event, ret, CLOCK_MONOTONIC, UINT64_MAX, USEC_PER_MSEC, handler,
                        client);
        if (r < 0)
                return r;

        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int make_loop(HttpClient *client) {
        int r;

        client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (client->wake_fd < 0)
                return -errno;

        r = sd_event_new(&client->event);
        if (r < 0)
                return r;
        r = sd_event_add_io(
                        client->event, &client->wake, client->wake_fd, EPOLLIN, on_wake, client);
        if (r < 0)
                return r;
        r = add_timer(client, on_curl_timer, &client->curl_timer);
        if (r < 0)
                return r;
        r = add_timer(client, on_stall_timer, &client->stall_timer);
        if (r < 0)
                return r;

        return add_timer(client, on_post_timer, &client->post_timer);
}

static int make_multi(HttpClient *client, unsigned connections_max) {
        client->multi = curl_multi_init();
        if (!client->multi)
                return -ENOMEM;

        curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
        curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
        curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timeout);
        curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
        curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) connections_max);
        curl_multi_setopt(
                        client->multi, CURLMOPT_MAXCONNECTS,
                        (long) MAX(IDLE_CONNECTIONS, connections_max));
        return 0;
}

static CURLcode curl_state;

static void init_curl(void) {
        curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_client_new(const HttpClientOptions *options, HttpClient **ret) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        int r;

        assert(options);
        assert(options->connections_max > 0);
        assert(ret);

        (void) pthread_once(&once, init_curl);
        if (curl_state != CURLE_OK)
                return -ENOMEM;

        client = malloc(sizeof(*client));
        if (!client)
                return -ENOMEM;

        *client = (HttpClient){
                .references = 1,
                .on_broken = options->on_broken,
                .connect_timeout_usec = options->connect_timeout_usec,
                .stall_timeout_usec = options->stall_timeout_usec,
                .wake_fd = -1,
        };
        (void) pthread_mutex_init(&client->signer_lock, NULL); /* cannot fail with glibc */
        (void) pthread_mutex_init(&client->lock, NULL);
        http_posts_init(&client->posts);

        if (options->secret) {
                r = signer_new(options->secret, options->secret_size, &client->signer);
                if (r < 0)
                        return r;
        }

        r = make_loop(client);
        if (r < 0)
                return r;
        r = make_multi(client, options->connections_max);
        if (r < 0)
                return r;
        r = pthread_create(&client->thread, NULL, run, client);
        if (r != 0)
                return -r;
        client->has_thread = true;

        *ret = TAKE_PTR(client);
        return 0;
}

static void stop(HttpClient *client) {
        atomic_store(&client->stopping, true);
        wake_thread(client);
        (void) pthread_join(client->thread, NULL);
}

HttpClient *http_client_free(HttpClient *client) {
        if (!client)
                return NULL;

        if (client->has_thread)
                stop(client);

        while (client->n_idle > 0)
                curl_easy_cleanup(client->idle[--client->n_idle]);
        (void) curl_multi_cleanup(client->multi);

        http_posts_done(&client->posts);
        free_silences(client->silences);
        (void) sd_event_source_unref(client->wake);
        (void) sd_event_source_unref(client->curl_timer);
        (void) sd_event_source_unref(client->stall_timer);
        (void) sd_event_source_unref(client->post_timer);
        (void) sd_event_unref(client->event);
        closep(&client->wake_fd);
        client->signer = signer_free(client->signer);
        return http_client_unref(client);
}

HttpClient *http_client_ref(HttpClient *client) {
        atomic_fetch_add(&client->references, 1);
        return client;
}

HttpClient *http_client_unref(HttpClient *client) {
        if (atomic_fetch_sub(&client->references, 1) > 1)
                return NULL;

        (void) pthread_mutex_destroy(&client->signer_lock);
        (void) pthread_mutex_destroy(&client->lock);
        free(client);
        return NULL;
}
