/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP client: makes many calls (rpc/call.h) at a time to other daemons, over kept-alive
 * connections.
 *
 * One thread of its own runs libcurl's multi interface on an sd-event loop. */

#include "base/macro.h"

typedef struct HttpClient HttpClient;

typedef struct HttpClientOptions {
        uint64_t connect_timeout_usec;
        uint64_t stall_timeout_usec; /* after which a call without progress fails with -ETIMEDOUT */
        unsigned connections_max;    /* per host */
        const void *secret;          /* for http_call_sign(); copied */
        size_t secret_size;

        /* The client's loop has failed. All calls end with -ESHUTDOWN once this function, which may
         * be NULL, has returned, and so do those that are started later. Thread: the client's. */
        void (*on_broken)(int error);
} HttpClientOptions;

/* Returns 0 or a negative errno. */
int http_client_new(const HttpClientOptions *options, HttpClient **ret);

/* Ends the calls that are under way with -ESHUTDOWN, and returns when the thread has ended. */
HttpClient *http_client_free(HttpClient *client);
DEFINE_CLEANUP(HttpClient *, http_client_free);

/* From any thread: ends the calls to URL ("http://host:port") that wait for the other side and have
 * not moved for SILENT_USEC, with -EHOSTDOWN, soon. A call counts as silent from when this function
 * first looks at it, so it must be called again and again. */
void http_client_end_silent(HttpClient *client, const char *url, uint64_t silent_usec);

/* Runs FUNCTION once on the client's thread, DELAY_USEC from now (0: soon). Functions that still
 * wait when the client is freed are not run. Returns 0 or -ENOMEM. */
int http_client_post(
                HttpClient *client,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata);
