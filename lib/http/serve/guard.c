/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <utlist.h>

#include "base/clock.h"
#include "http/serve/guard.h"
#include "http/serve/guest-address.h"

#define SWEEP_USEC (500 * USEC_PER_MSEC)

/* A sweep that comes so much later than it should shows that the process was not run: guests are
 * not to blame for what they did not do meanwhile. */
#define PAUSE_USEC USEC_PER_SEC

/* A body or a reply that is slower than this is the next but one to give way. Networks of the
 * slowest kind in use are faster. */
#define PACE_USEC SWEEP_USEC
#define PACE_MIN  (16 * KIB) /* bytes per second */

/* For the rest of a body that nobody wants any more; at the pace above, it may take its time. */
#define REFUSED_USEC (5 * USEC_PER_SEC)

/* A guest that has just come, or has just sent or taken something, gets time to do what is
 * expected; one that has just had an answer gets more. */
#define YOUNG_USEC      (100 * USEC_PER_MSEC)
#define YOUNG_IDLE_USEC USEC_PER_SEC

/* An answer that somebody has had lets him appear so much younger. */
#define CREDIT_USEC (100 * USEC_PER_MSEC)

/* A header section that is not complete after this is late. */
#define LATE_USEC USEC_PER_SEC

/* So large a share of what is allowed gives way at a time: then the search for them is paid by many
 * newcomers. */
#define EVICTION_SHARE 16

/* The share of an address's guests whose header section may be late. */
#define STUCK_SHARE 4

/* Where and when a rate is measured from. */
typedef struct Mark {
        uint64_t usec, bytes;
} Mark;

struct HttpGuest {
        HttpGuard *guard;
        int fd;
        LoopWaker *waker; /* of one that is told; under the guard's lock; not owned */
        bool was_woken;

        /* Written by the connection's thread, read by the guard. */
        atomic_uint phase;
        atomic_uint_least64_t since; /* monotonic: when it began */
        atomic_uint_least64_t bytes; /* of all its bodies */
        atomic_uint_least64_t moved; /* monotonic: when the last of them came, or the phase began */
        atomic_bool is_trusted;

        /* Under the guard's lock */
        GuestAddress *address;
        bool counts_as_trusted, is_evicted, is_slow;
        uint64_t measured; /* the phase, by its SINCE, that the marks belong to */
        Mark mark, pace;
        HttpGuest *prev, *next;
};

typedef struct Candidate {
        HttpGuest *guest;
        GuestPhase phase;
        unsigned rank;
        uint64_t moved;
} Candidate;

struct HttpGuard {
        HttpGuardOptions options;
        atomic_uint n_guests; /* without those that are evicted */

        pthread_mutex_t lock; /* for what follows */
        pthread_cond_t change;
        pthread_t thread;
        bool has_thread, stopping;
        bool is_short;    /* of descriptors, at the last sweep */
        uint64_t resumed; /* monotonic: when the process was last found to run again */
        unsigned n_all;
        HttpGuest *guests;
        GuestAddress *addresses;
        Candidate *candidates; /* room for all guests */
};

unsigned http_guard_connections_max(unsigned guests_max) {
        return guests_max + guests_max / 4 + 64;
}

unsigned http_guard_connections(HttpGuard *guard) {
        unsigned n;

        (void) pthread_mutex_lock(&guard->lock);
        n = guard->n_all;
        (void) pthread_mutex_unlock(&guard->lock);

        return n;
}

/* With the lock held. Its connection's thread sees it closed, or is told, and has the guest leave.
 */
static void evict(HttpGuest *guest) {
        if (guest->is_evicted)
                return;

        guest->is_evicted = true;
        guest->address->n_guests--;
        (void) atomic_fetch_sub(&guest->guard->n_guests, 1);
        guest->was_woken = guest->waker;
        if (guest->waker)
                loop_wake(guest->waker);
        else
                (void) shutdown(guest->fd, SHUT_RDWR);
}

static bool get_tcp_info(const HttpGuest *guest, struct tcp_info *ret) {
        socklen_t size = sizeof(*ret);

        *ret = (struct tcp_info){};
        return getsockopt(guest->fd, IPPROTO_TCP, TCP_INFO, ret, &size) >= 0;
}

/* Whether the guest has done its part: what it has sent is still to be read, since we have other
 * things to do, or it was read since the guest was SEEN in that phase. */
static bool waits_for_us(const HttpGuest *guest, GuestPhase seen) {
        int n_unread = 0;

        if (seen == GUEST_HEAD || seen == GUEST_BODY || seen == GUEST_IDLE)
                (void) ioctl(guest->fd, FIONREAD, &n_unread);
        return n_unread > 0 || atomic_load(&guest->phase) != seen; /* in this order */
}

/* When something last happened that the guest has a part in. */
static uint64_t get_moved(const HttpGuest *guest, GuestPhase phase, uint64_t now) {
        uint64_t moved = atomic_load(&guest->moved);
        struct tcp_info info;

        if (phase == GUEST_IDLE)
                return moved + CREDIT_USEC;
        if (phase != GUEST_REPLY || !get_tcp_info(guest, &info))
                return moved;
        return now - MIN(info.tcpi_last_data_sent * USEC_PER_MSEC, now);
}

/* When its phase began, or is taken to have begun. */
static uint64_t get_since(const HttpGuest *guest) {
        return MAX(atomic_load_explicit(&guest->since, memory_order_acquire),
                   guest->guard->resumed);
}

/* The rank of those who get time */
#define RANK_YOUNG 1

/* How readily it gives way; 0 for not at all. */
static unsigned rank(const HttpGuest *guest, GuestPhase phase, uint64_t moved, uint64_t now) {
        uint64_t age = now - MIN(moved, now);

        switch (phase) {
        case GUEST_REFUSED:
                return 5;
        case GUEST_HEAD:
                return age >= YOUNG_USEC ? 4 : RANK_YOUNG;
        case GUEST_BODY:
        case GUEST_REPLY:
                if (guest->measured == get_since(guest))
                        return guest->is_slow ? 3 : 0;
                return age >= SWEEP_USEC ? 3 : RANK_YOUNG; /* its pace is not known yet */
        case GUEST_IDLE:
                return age >= YOUNG_IDLE_USEC ? 2 : RANK_YOUNG;
        case GUEST_OURS:
        default:
                return 0;
        }
}

static int compare_candidates(const void *a, const void *b) {
        const Candidate *x = a, *y = b;

        if (x->rank != y->rank)
                return x->rank > y->rank ? -1 : 1;
        return x->moved < y->moved ? -1 : x->moved > y->moved;
}

/* Those from ADDRESS, or all if it is NULL, who may give way: first those who do so first. Returns
 * how many there are. */
static size_t list_candidates(HttpGuard *guard, const GuestAddress *address, uint64_t now) {
        size_t n = 0;
        HttpGuest *guest;

        DL_FOREACH(guard->guests, guest) {
                GuestPhase phase = atomic_load(&guest->phase);
                Candidate *candidate = guard->candidates + n;
                uint64_t moved;

                if (guest->is_evicted || atomic_load(&guest->is_trusted) ||
                    (address && guest->address != address))
                        continue;

                moved = get_moved(guest, phase, now);
                *candidate = (Candidate){
                        .guest = guest,
                        .phase = phase,
                        .rank = rank(guest, phase, moved, now),
                        .moved = moved,
                };
                n += candidate->rank > 0;
        }

        qsort(guard->candidates, n, sizeof(*guard->candidates), compare_candidates);
        return n;
}

/* Has up to MAX guests of one kind give way, but not those who wait for us, and of the others not
 * more than half: the younger ones may be on the point of doing what they came for. To look at a
 * guest takes a system call, so that this is done only to those whose turn it is. Returns how many
 * give way. */
static size_t evict_some(const Candidate *kind, size_t n, size_t max) {
        size_t n_waiting = 0, n_evicted = 0;

        for (size_t i = 0; i < n && n_evicted < MIN(max, (n - n_waiting + 1) / 2); i++) {
                if (waits_for_us(kind[i].guest, kind[i].phase)) {
                        n_waiting++;
                } else {
                        evict(kind[i].guest);
                        n_evicted++;
                }
        }
        return n_evicted;
}

/* Has up to MAX guests give way, all of the first kind of which somebody can. */
static void make_room(HttpGuard *guard, const GuestAddress *address, size_t max) {
        const Candidate *candidates = guard->candidates;
        size_t n = list_candidates(guard, address, clock_monotonic()), begin = 0, end;

        while (begin < n && candidates[begin].rank > RANK_YOUNG) {
                for (end = begin; end < n && candidates[end].rank == candidates[begin].rank;)
                        end++;
                if (evict_some(candidates + begin, end - begin, max) > 0)
                        return;
                begin = end;
        }

        /* Those before BEGIN all wait for us: they give way after those who are young. */
        for (size_t i = 0; i < MIN(max, (n + 1) / 2); i++)
                evict(candidates[(begin + i) % n].guest);
}

/* With the lock held. Others are asking meanwhile, without it, whether there is room for a request:
 * so a newcomer does not count before somebody has given way. */
static void make_room_for_one(HttpGuard *guard, const GuestAddress *address) {
        const HttpGuardOptions *options = &guard->options;

        if (address->n_guests >= options->guests_per_address_max)
                make_room(guard, address, options->guests_per_address_max / EVICTION_SHARE + 1);
        if (atomic_load(&guard->n_guests) >= options->guests_max)
                make_room(guard, NULL, options->guests_max / EVICTION_SHARE + 1);
}

HttpGuest *http_guard_enter(HttpGuard *guard, int fd, const struct sockaddr *address) {
        HttpGuest *guest = NULL;
        GuestAddress *from = NULL;

        assert(guard);
        assert(fd >= 0);

        (void) pthread_mutex_lock(&guard->lock);
        if (guard->n_all < http_guard_connections_max(guard->options.guests_max)) {
                guest = calloc(1, sizeof(*guest));
                from = guest ? guest_address_ref(&guard->addresses, address) : NULL;
        }
        if (!from) {
                (void) pthread_mutex_unlock(&guard->lock);
                (void) shutdown(fd, SHUT_RDWR);
                free(guest);
                return NULL;
        }

        guest->guard = guard;
        guest->fd = fd;
        guest->address = from;
        atomic_store(&guest->phase, GUEST_HEAD);
        atomic_store(&guest->since, clock_monotonic());
        atomic_store(&guest->moved, atomic_load(&guest->since));

        make_room_for_one(guard, from);
        from->n_guests++;
        (void) atomic_fetch_add(&guard->n_guests, 1);
        if (guard->n_all++ == 0)
                (void) pthread_cond_signal(&guard->change);
        DL_APPEND(guard->guests, guest);
        (void) pthread_mutex_unlock(&guard->lock);

        return guest;
}

void http_guest_watch(HttpGuest *guest, LoopWaker *waker) {
        (void) pthread_mutex_lock(&guest->guard->lock);
        guest->waker = waker;
        (void) pthread_mutex_unlock(&guest->guard->lock);
}

bool http_guest_leave(HttpGuest *guest) {
        HttpGuard *guard = guest->guard;
        bool was_woken;

        (void) pthread_mutex_lock(&guard->lock);
        DL_DELETE(guard->guests, guest);
        guard->n_all--;
        if (!guest->is_evicted) {
                guest->address->n_guests--;
                (void) atomic_fetch_sub(&guard->n_guests, 1);
        }
        guest->address->n_trusted -= guest->counts_as_trusted;
        guest_address_unref(&guard->addresses, guest->address);
        was_woken = guest->was_woken;
        (void) pthread_mutex_unlock(&guard->lock);

        free(guest);
        return was_woken;
}

/* The time comes first, so that no phase is ever seen with the time of the one before it. */
void http_guest_set_phase(HttpGuest *guest, GuestPhase phase) {
        uint64_t now;

        if (atomic_load_explicit(&guest->phase, memory_order_relaxed) == phase)
                return;

        /* Phases follow each other faster than this clock goes, and are told apart by their time.
         */
        now = clock_monotonic_coarse();
        now = MAX(now, atomic_load_explicit(&guest->since, memory_order_relaxed) + 1);
        atomic_store_explicit(&guest->moved, now, memory_order_relaxed);
        atomic_store_explicit(&guest->since, now, memory_order_release);
        atomic_store_explicit(&guest->phase, phase, memory_order_release);
}

void http_guest_add_bytes(HttpGuest *guest, size_t n) {
        uint64_t bytes = atomic_load_explicit(&guest->bytes, memory_order_relaxed);

        atomic_store_explicit(&guest->bytes, bytes + n, memory_order_relaxed);
        atomic_store_explicit(&guest->moved, clock_monotonic_coarse(), memory_order_relaxed);
}

void http_guest_trust(HttpGuest *guest) {
        HttpGuard *guard = guest->guard;

        if (atomic_exchange(&guest->is_trusted, true))
                return;

        (void) pthread_mutex_lock(&guard->lock);
        guest->counts_as_trusted = true;
        guest->address->n_trusted++;
        (void) pthread_mutex_unlock(&guard->lock);
}

bool http_guest_is_welcome(HttpGuest *guest) {
        HttpGuard *guard = guest->guard;
        bool is_welcome;

        if (atomic_load(&guest->is_trusted))
                return true;
        if (atomic_load(&guard->n_guests) > guard->options.guests_max)
                return false;
        /* Without the lock: a number more or less does not matter. */
        if (atomic_load(&guard->n_guests) <= guard->options.guests_per_address_max)
                return true;

        (void) pthread_mutex_lock(&guard->lock);
        is_welcome = guest->address->n_trusted > 0 ||
                     guest->address->n_guests <= guard->options.guests_per_address_max;
        (void) pthread_mutex_unlock(&guard->lock);
        return is_welcome;
}

/* Whether the bytes since MARK, which moves on after INTERVAL, are fewer than RATE. */
static bool
lags(Mark *mark, uint64_t now, uint64_t bytes, uint64_t interval, uint64_t rate, bool before) {
        uint64_t passed = now - mark->usec;
        bool result;

        if (passed < interval)
                return before;

        result = bytes - mark->bytes < rate * passed / USEC_PER_SEC;
        *mark = (Mark){ now, bytes };
        return result;
}

/* Returns whether the guest has to go. */
static bool is_too_slow(HttpGuest *guest, GuestPhase phase, uint64_t since, uint64_t now) {
        const HttpGuardOptions *options = &guest->guard->options;
        uint64_t bytes = atomic_load(&guest->bytes);
        struct tcp_info info;

        if (phase == GUEST_REPLY) {
                if (!get_tcp_info(guest, &info))
                        return false;
                bytes = info.tcpi_bytes_acked; /* what has arrived there */
        }

        if (guest->measured != since) {
                guest->measured = since;
                guest->mark = guest->pace = (Mark){ now, bytes };
                guest->is_slow = false;
                return false;
        }

        guest->is_slow = lags(&guest->pace, now, bytes, PACE_USEC, PACE_MIN, guest->is_slow);
        if (phase == GUEST_REFUSED)
                return lags(&guest->mark, now, bytes, REFUSED_USEC, PACE_MIN, false);
        return lags(&guest->mark, now, bytes, options->rate_usec, options->rate_min, false);
}

static bool is_late(HttpGuest *guest, GuestPhase phase, uint64_t now) {
        const HttpGuardOptions *options = &guest->guard->options;
        uint64_t since = get_since(guest);
        uint64_t age = now - MIN(since, now);

        switch (phase) {
        case GUEST_HEAD:
                guest->address->n_stuck += age >= LATE_USEC;
                return age >= options->head_usec;
        case GUEST_IDLE:
                return age >= options->idle_usec;
        case GUEST_BODY:
        case GUEST_REFUSED:
        case GUEST_REPLY:
                return is_too_slow(guest, phase, since, now);
        case GUEST_OURS:
        default:
                return false;
        }
}

static bool is_to_go(HttpGuest *guest, uint64_t now) {
        GuestPhase phase = atomic_load_explicit(&guest->phase, memory_order_acquire);

        return is_late(guest, phase, now) && !waits_for_us(guest, phase);
}

/* An address that keeps many header sections waiting has the oldest of them closed. */
static void limit_stuck(HttpGuard *guard) {
        unsigned max = guard->options.guests_per_address_max / STUCK_SHARE;
        GuestAddress *address, *next;

        HASH_ITER(hh, guard->addresses, address, next) {
                if (address->n_stuck > max)
                        make_room(guard, address, address->n_stuck - max);
                address->n_stuck = 0;
        }
}

/* Without a free descriptor, nobody is let in any more. */
static void relieve_shortage(HttpGuard *guard) {
        _cleanup_close_ int fd = open("/", O_PATH | O_CLOEXEC);
        bool is_short = fd < 0 && (errno == EMFILE || errno == ENFILE);
        HttpGuest *guest;

        if (is_short)
                make_room(guard, NULL, guard->options.guests_max / EVICTION_SHARE + 1);
        if (is_short && guard->is_short)
                DL_FOREACH(guard->guests, guest)
        if (atomic_load(&guest->phase) == GUEST_IDLE)
                evict(guest); /* daemons as well: they come again */
        guard->is_short = is_short;
}

/* With the lock held. */
static void sweep(HttpGuard *guard) {
        uint64_t now = clock_monotonic();
        HttpGuest *guest;

        DL_FOREACH(guard->guests, guest) {
                if (!guest->is_evicted && !atomic_load(&guest->is_trusted) && is_to_go(guest, now))
                        evict(guest);
        }
        limit_stuck(guard);
        relieve_shortage(guard);
}

static void *run(void *userdata) {
        HttpGuard *guard = userdata;

        (void) pthread_mutex_lock(&guard->lock);
        while (!guard->stopping) {
                uint64_t until = clock_monotonic() + SWEEP_USEC, now;
                struct timespec spec = {
                        .tv_sec = (time_t) (until / USEC_PER_SEC),
                        .tv_nsec = (long) (until % USEC_PER_SEC * 1000),
                };

                if (guard->n_all == 0)
                        (void) pthread_cond_wait(&guard->change, &guard->lock);
                else
                        (void) pthread_cond_timedwait(&guard->change, &guard->lock, &spec);

                now = clock_monotonic();
                if (now >= until + PAUSE_USEC)
                        guard->resumed = now;
                if (now >= until)
                        sweep(guard);
        }
        (void) pthread_mutex_unlock(&guard->lock);

        return NULL;
}

static int start(HttpGuard *guard) {
        pthread_condattr_t attributes;
        int r;

        /* None of these can fail with glibc. */
        (void) pthread_mutex_init(&guard->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&guard->change, &attributes);
        (void) pthread_condattr_destroy(&attributes);

        r = -pthread_create(&guard->thread, NULL, run, guard);
        guard->has_thread = r == 0;
        return r;
}

int http_guard_new(const HttpGuardOptions *options, HttpGuard **ret) {
        _cleanup_(http_guard_freep) HttpGuard *guard = NULL;
        int r;

        assert(options);
        assert(options->guests_max > 0);
        assert(options->guests_per_address_max > 0);
        assert(ret);

        guard = calloc(1, sizeof(*guard));
        if (!guard)
                return -ENOMEM;
        guard->options = *options;

        r = start(guard);
        if (r < 0)
                return r;
        guard->candidates = calloc(
                        http_guard_connections_max(options->guests_max),
                        sizeof(*guard->candidates));
        if (!guard->candidates)
                return -ENOMEM;

        *ret = TAKE_PTR(guard);
        return 0;
}

HttpGuard *http_guard_free(HttpGuard *guard) {
        if (!guard)
                return NULL;

        assert(!guard->guests);

        (void) pthread_mutex_lock(&guard->lock);
        guard->stopping = true;
        (void) pthread_cond_signal(&guard->change);
        (void) pthread_mutex_unlock(&guard->lock);
        if (guard->has_thread)
                (void) pthread_join(guard->thread, NULL);

        (void) pthread_cond_destroy(&guard->change);
        (void) pthread_mutex_destroy(&guard->lock);
        free(guard->candidates);
        free(guard);
        return NULL;
}
