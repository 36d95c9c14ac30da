/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What http-client.c and http-call.c share, and nobody else includes. */

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "rpc/client.h"

/* Easy handles that are kept for the next call. */
#define IDLE_MAX 64

typedef struct HttpPost HttpPost;
typedef struct HttpSilence HttpSilence;

struct HttpClient {
        atomic_uint references; /* the owner's and each call's */
        uint64_t connect_timeout_usec, stall_timeout_usec;
        uint64_t patience_usec; /* the least of the active calls, or of some that were */

        pthread_mutex_t signer_lock;
        Signer *signer;

        pthread_mutex_t lock; /* for what follows */
        HttpCall *queue;
        HttpPost *new_posts;
        HttpSilence *silences; /* to be ended */
        bool stopping, closed;

        int wake_fd;
        pthread_t thread;
        bool has_thread;

        /* The rest belongs to the thread. */
        sd_event *event;
        sd_event_source *wake, *curl_timer, *stall_timer, *post_timer;
        CURLM *multi;
        bool kick; /* libcurl wants to be called at once */
        HttpCall *active;
        HttpPost *posts;
        CURL *idle[IDLE_MAX];
        size_t n_idle;
};

typedef enum HttpCallWish {
        HTTP_CALL_START = 1 << 0,
        HTTP_CALL_RESUME = 1 << 1,
        HTTP_CALL_CANCEL = 1 << 2,
} HttpCallWish;

struct HttpCall {
        atomic_uint references;
        HttpClient *client;

        struct curl_slist *headers;
        Buffer body;
        uint64_t source_size, stall_timeout_usec;
        size_t answer_max; /* of one that is collected */
        ssize_t (*read)(void *userdata, void *data, size_t size);
        int (*on_head)(HttpCall *call, unsigned status, void *userdata);
        int (*on_body)(void *userdata, const void *data, size_t size);
        void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata);
        void *userdata;

        /* Under the client's lock */
        HttpCallWish wishes;
        HttpCall *queue_prev, *queue_next;

        /* On the client's thread */
        CURL *easy;
        HttpCall *prev, *next; /* in client->active */
        bool has_head, paused, canceled;
        sd_event_source *resume_timer;
        int error;    /* of a callback */
        int os_error; /* of the connection, positive */
        Buffer answer;
        uint64_t progress_usec, progress_bytes;

        const char *method;
        char url[]; /* and, behind its 0, the method */
};

/* Has the client's thread look at the call. */
void http_client_wish(HttpClient *client, HttpCall *call, HttpCallWish wish);

HttpClient *http_client_ref(HttpClient *client);
HttpClient *http_client_unref(HttpClient *client);

/* Sets a fresh easy handle up for the call. Returns 0 or -ENOMEM. */
int http_call_prepare(HttpCall *call, CURL *easy);

/* Tells the caller, who may start another call. */
void http_call_done(HttpCall *call, int error);

/* The following are for the client's thread. The last that happens to an active call: */
void http_client_end_call(HttpClient *client, HttpCall *call, int error);

/* All that has to be done after anything has happened. */
void http_client_settle(HttpClient *client);

/* Looks after the active calls often enough to notice a stalled one an eighth of the least patience
 * too late at most. */
void http_stall_arm(HttpClient *client, uint64_t now);

/* Ends the calls which have not moved for too long, unless it is this side that holds them up. */
int http_stall_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

void http_silences_free(HttpSilence *silences);
