/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a client is made of, for client.c and call.c alone. */

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "rpc/call.h"
#include "rpc/posts.h"

/* How many easy handles are kept for later calls. */
#define IDLE_MAX 64

typedef struct HttpSilence HttpSilence;

struct HttpClient {
        atomic_uint references; /* the owner's and each call's */
        void (*on_broken)(int error);
        uint64_t connect_timeout_usec, stall_timeout_usec;
        uint64_t least_stall_timeout_usec; /* of the active calls, or of some that were */

        pthread_mutex_t signer_lock;
        Signer *signer;

        pthread_mutex_t lock; /* for what follows */
        HttpCall *queue;
        HttpSilence *silences; /* to be ended */
        bool closed;

        HttpPosts posts;
        int wake_fd;
        pthread_t thread;
        bool has_thread;
        atomic_bool stopping;

        /* The rest belongs to the thread. */
        sd_event *event;
        sd_event_source *wake, *curl_timer, *stall_timer, *post_timer;
        CURLM *multi;
        bool is_due; /* libcurl wants to be called at once */
        HttpCall *active;
        CURL *idle[IDLE_MAX];
        size_t n_idle;
};

typedef enum HttpCallCommand {
        HTTP_CALL_START = 1 << 0,
        HTTP_CALL_RESUME = 1 << 1,
        HTTP_CALL_CANCEL = 1 << 2,
} HttpCallCommand;

/* Makes the client's thread look at the call. */
void http_client_command(HttpClient *client, HttpCall *call, HttpCallCommand command);

/* Calls that have ended may outlive the client; all they still use is its lock. */
HttpClient *http_client_ref(HttpClient *client);
HttpClient *http_client_unref(HttpClient *client);
