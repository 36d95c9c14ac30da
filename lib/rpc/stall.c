/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls of the HTTP client that do not move. */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/client-internal.h"

void http_stall_arm(HttpClient *client, uint64_t now) {
        (void) sd_event_source_set_time(client->stall_timer, now + client->patience_usec / 8);
        (void) sd_event_source_set_enabled(
                        client->stall_timer, client->active ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static uint64_t count_bytes(const HttpCall *call) {
        curl_off_t sent = 0, received = 0;
        long headers = 0;

        (void) curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        (void) curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
        (void) curl_easy_getinfo(call->easy, CURLINFO_HEADER_SIZE, &headers);

        return (uint64_t) sent + (uint64_t) received + (uint64_t) headers;
}

/* Takes note of what has moved. A call that this side holds up counts as one that does. */
static void look(HttpCall *call, uint64_t now) {
        uint64_t bytes = count_bytes(call);

        if (!call->paused && bytes == call->progress_bytes)
                return;
        call->progress_usec = now;
        call->progress_bytes = bytes;
}

int http_stall_on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpClient *client = userdata;
        uint64_t now = clock_monotonic();
        HttpCall *call, *next;

        DL_FOREACH_SAFE(client->active, call, next) {
                look(call, now);
                if (now - call->progress_usec >= call->stall_timeout_usec)
                        http_client_end_call(client, call, -ETIMEDOUT);
        }

        http_client_settle(client);

        http_stall_arm(client, now);
        return 0;
}

struct HttpSilence {
        HttpSilence *next;
        uint64_t usec;
        char url[];
};

void http_silences_free(HttpSilence *silences) {
        while (silences) {
                HttpSilence *silence = silences;

                silences = silence->next;
                free(silence);
        }
}

static void end_silent_at(HttpClient *client, const HttpSilence *silence) {
        uint64_t now = clock_monotonic();
        size_t n = strlen(silence->url);
        HttpCall *call, *next;

        DL_FOREACH_SAFE(client->active, call, next) {
                if (strncmp(call->url, silence->url, n) != 0 || call->url[n] != '/')
                        continue;
                look(call, now);
                if (now - call->progress_usec >= silence->usec)
                        http_client_end_call(client, call, -EHOSTDOWN);
        }
}

static void end_silent(void *userdata) {
        HttpClient *client = userdata;
        HttpSilence *silences;

        (void) pthread_mutex_lock(&client->lock);
        silences = TAKE_PTR(client->silences);
        (void) pthread_mutex_unlock(&client->lock);

        for (const HttpSilence *silence = silences; silence; silence = silence->next)
                end_silent_at(client, silence);
        http_silences_free(silences);
}

void http_client_end_silent(HttpClient *client, const char *url, uint64_t silent_usec) {
        size_t size = strlen(url) + 1;
        HttpSilence *silence = malloc(sizeof(*silence) + size);

        if (!silence)
                return; /* the next time */

        *silence = (HttpSilence){ .usec = silent_usec };
        memcpy(silence->url, url, size);
        (void) pthread_mutex_lock(&client->lock);
        LL_PREPEND(client->silences, silence);
        (void) pthread_mutex_unlock(&client->lock);

        (void) http_client_post(client, 0, end_silent, client);
}
