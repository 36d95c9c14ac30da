/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/clock.h"
#include "master/group/inbox.h"

Letter *letter_free(Letter *letter) {
        if (!letter)
                return NULL;

        buffer_done(&letter->data);
        free(letter);
        return NULL;
}

void inbox_init(Inbox *inbox) {
        pthread_condattr_t attributes;

        *inbox = (Inbox){};
        inbox->last = &inbox->first;
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&inbox->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        (void) pthread_mutex_init(&inbox->lock, NULL);
}

void inbox_done(Inbox *inbox) {
        while (inbox->first) {
                Letter *letter = inbox->first;

                inbox->first = letter->next;
                (void) letter_free(letter);
        }
        (void) pthread_cond_destroy(&inbox->changed);
        (void) pthread_mutex_destroy(&inbox->lock);
}

/* With the lock. */
static int ensure_room(Inbox *inbox, LetterType type, size_t size) {
        if (inbox->is_closed)
                return -ESHUTDOWN;
        if (size > INBOX_SIZE_MAX - inbox->sizes[type])
                return -EAGAIN;
        inbox->sizes[type] += size;
        return 0;
}

int inbox_put(Inbox *inbox, const Letter *template, Buffer *data) {
        Letter *letter = malloc(sizeof(*letter));
        int r;

        if (!letter)
                return -ENOMEM;

        *letter = *template;
        (void) pthread_mutex_lock(&inbox->lock);
        r = ensure_room(inbox, letter->type, sizeof(*letter) + (data ? data->size : 0));
        if (r >= 0) {
                if (data) {
                        letter->data = *data;
                        *data = (Buffer){};
                }
                *inbox->last = letter;
                inbox->last = &letter->next;
                (void) pthread_cond_signal(&inbox->changed);
        }
        (void) pthread_mutex_unlock(&inbox->lock);
        if (r < 0)
                free(letter);
        return r;
}

bool inbox_wait(Inbox *inbox, uint64_t usec, Letter **ret) {
        uint64_t end = clock_monotonic() + MIN(usec, USEC_PER_HOUR);
        const struct timespec until = { (time_t) (end / USEC_PER_SEC),
                                        (long) (end % USEC_PER_SEC * 1000) };
        bool is_open;
        int r = 0;

        (void) pthread_mutex_lock(&inbox->lock);
        while (!inbox->first && !inbox->is_closed && !inbox->is_woken && r == 0)
                r = pthread_cond_timedwait(&inbox->changed, &inbox->lock, &until);
        *ret = TAKE_PTR(inbox->first);
        inbox->last = &inbox->first;
        memset(inbox->sizes, 0, sizeof(inbox->sizes));
        inbox->is_woken = false;
        is_open = !inbox->is_closed;
        (void) pthread_mutex_unlock(&inbox->lock);
        return is_open;
}

void inbox_wake(Inbox *inbox) {
        (void) pthread_mutex_lock(&inbox->lock);
        inbox->is_woken = true;
        (void) pthread_cond_signal(&inbox->changed);
        (void) pthread_mutex_unlock(&inbox->lock);
}

void inbox_close(Inbox *inbox) {
        (void) pthread_mutex_lock(&inbox->lock);
        inbox->is_closed = true;
        (void) pthread_cond_signal(&inbox->changed);
        (void) pthread_mutex_unlock(&inbox->lock);
}
