/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a call is made of, for call.c and client.c alone. */

#include <curl/curl.h>
#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "rpc/call.h"
#include "rpc/client-internal.h"

struct HttpCall {
        atomic_uint references;
        HttpClient *client;

        struct curl_slist *headers;
        Buffer body;
        uint64_t source_size, stall_timeout_usec;
        size_t answer_max; /* of an answer that is collected */
        ssize_t (*read)(void *userdata, void *data, size_t size);
        int (*on_head)(HttpCall *call, unsigned status, void *userdata);
        int (*on_body)(void *userdata, const void *data, size_t size);
        void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata);
        void *userdata;

        /* Under the client's lock */
        HttpCallCommand commands;
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
        char url[]; /* and, after its 0, the method */
};

/* Sets a fresh easy handle up for the call. Returns 0 or -ENOMEM. */
int http_call_prepare(HttpCall *call, CURL *easy);

/* Tells the caller, who may start another call. */
void http_call_done(HttpCall *call, int error);

/* Returns for how long an active call has not moved. One that this side holds up counts as moving.
 * What moves is noticed only here, so this is called again and again. Thread: the client's. */
uint64_t http_call_look(HttpCall *call, uint64_t now);
