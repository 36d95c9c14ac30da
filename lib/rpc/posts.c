/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <utlist.h>

#include "base/clock.h"
#include "rpc/posts.h"

struct HttpPost {
        void (*function)(void *userdata);
        void *userdata;
        uint64_t due_usec; /* monotonic; 0 for at once */
        HttpPost *next;
};

void http_posts_init(HttpPosts *posts) {
        *posts = (HttpPosts){};
        (void) pthread_mutex_init(&posts->lock, NULL); /* cannot fail with glibc */
}

void http_posts_done(HttpPosts *posts) {
        HttpPost *post, *next;

        LL_CONCAT(posts->waiting, posts->fresh);
        LL_FOREACH_SAFE(posts->waiting, post, next)
        free(post);
        (void) pthread_mutex_destroy(&posts->lock);
}

int http_posts_add(
                HttpPosts *posts,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata) {
        HttpPost *post;
        bool is_first;

        assert(posts);
        assert(function);

        post = malloc(sizeof(*post));
        if (!post)
                return -ENOMEM;

        *post = (HttpPost){
                .function = function,
                .userdata = userdata,
                .due_usec = delay_usec > 0 ? clock_monotonic() + delay_usec : 0,
        };

        (void) pthread_mutex_lock(&posts->lock);
        is_first = !posts->fresh;
        LL_PREPEND(posts->fresh, post);
        (void) pthread_mutex_unlock(&posts->lock);

        return is_first;
}

uint64_t http_posts_run(HttpPosts *posts, uint64_t now) {
        HttpPost *fresh, *due = NULL, *post, *following;
        uint64_t next = UINT64_MAX;

        (void) pthread_mutex_lock(&posts->lock);
        fresh = TAKE_PTR(posts->fresh);
        (void) pthread_mutex_unlock(&posts->lock);
        LL_CONCAT(posts->waiting, fresh);

        LL_FOREACH_SAFE(posts->waiting, post, following) {
                if (post->due_usec > now) {
                        next = MIN(next, post->due_usec);
                        continue;
                }
                LL_DELETE(posts->waiting, post);
                LL_PREPEND(due, post);
        }

        LL_FOREACH_SAFE(due, post, following) {
                post->function(post->userdata);
                free(post);
        }
        return next;
}
