/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Posts: functions that any thread hands to a loop, which runs them once they are due. */

#include <pthread.h>

#include "base/macro.h"

typedef struct HttpPost HttpPost;

typedef struct HttpPosts {
        pthread_mutex_t lock; /* for "fresh" */
        HttpPost *fresh;
        HttpPost *waiting; /* the loop's */
} HttpPosts;

void http_posts_init(HttpPosts *posts);

/* Functions that still wait are not run. */
void http_posts_done(HttpPosts *posts);

/* Thread: any. Returns 1 if the loop has to be woken, 0 if somebody is about to do so, or -ENOMEM.
 */
int http_posts_add(
                HttpPosts *posts,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata);

/* Runs what is due at NOW, those without a delay in the order in which they were added. Returns
 * when to call again, or UINT64_MAX. What the functions add is left for the next time. Thread: the
 * loop's. */
uint64_t http_posts_run(HttpPosts *posts, uint64_t now);
