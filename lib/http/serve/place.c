/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <utlist.h>

#include "http/serve/drain.h"
#include "http/serve/guard.h"
#include "http/serve/place.h"

struct HttpPlace {
        HttpGuest *guest; /* owned; NULL once the server is gone, like what follows */
        HttpDrain *drain; /* not owned */
        HttpPlace **list; /* not owned */
        unsigned n_begun;
        HttpPlace *prev, *next;

        void (*on_evicted)(void *userdata);
        void *userdata;
        bool was_told;

        LoopWaker waker; /* the guard's */
        bool was_woken;
        bool is_waking; /* the guard has woken it before the guest left */
        bool is_free;   /* once it is woken */
};

static void tell(HttpPlace *place) {
        if (place->was_told || !place->on_evicted)
                return;

        place->was_told = true;
        place->on_evicted(place->userdata);
}

static void on_wake(LoopWaker *waker) {
        HttpPlace *place = CONTAINER_OF(waker, HttpPlace, waker);

        place->was_woken = true;
        place->is_waking = false;
        if (place->is_free)
                free(place);
        else
                tell(place);
}

HttpPlace *http_place_new(Loop *loop, HttpGuest *guest, HttpDrain *drain, HttpPlace **list) {
        HttpPlace *place;

        place = malloc(sizeof(*place));
        if (!place)
                return NULL;

        *place = (HttpPlace){
                .guest = guest,
                .drain = drain,
                .list = list,
                .waker = { .on_wake = on_wake, .loop = loop },
        };
        DL_APPEND(*list, place);
        http_guest_set_phase(guest, GUEST_HEAD);
        http_guest_watch(guest, &place->waker);
        return place;
}

void http_place_watch(HttpPlace *place, void (*on_evicted)(void *userdata), void *userdata) {
        place->on_evicted = on_evicted;
        place->userdata = userdata;
}

void http_place_trust(HttpPlace *place) {
        if (!place->guest)
                return;

        http_guest_trust(place->guest);
        http_guest_set_phase(place->guest, GUEST_OURS);
}

int http_place_begin(HttpPlace *place) {
        int r;

        r = place->drain ? http_drain_enter(place->drain) : -ESHUTDOWN;
        if (r >= 0)
                place->n_begun++;
        return r;
}

void http_place_end(HttpPlace *place) {
        if (place->n_begun == 0) /* the server is gone */
                return;

        place->n_begun--;
        http_drain_leave(place->drain);
}

static void leave(HttpPlace *place) {
        if (!place->guest)
                return;

        while (place->n_begun > 0)
                http_place_end(place);
        DL_DELETE(*place->list, place);
        place->drain = NULL;
        place->list = NULL;
        if (http_guest_leave(TAKE_PTR(place->guest)))
                place->is_waking = !place->was_woken;
}

HttpPlace *http_place_free(HttpPlace *place) {
        if (!place)
                return NULL;

        leave(place);
        if (place->is_waking)
                place->is_free = true;
        else
                free(place);
        return NULL;
}

void http_places_evict(HttpPlace **list) {
        while (*list) {
                HttpPlace *place = *list;

                leave(place);
                tell(place);
        }
}
