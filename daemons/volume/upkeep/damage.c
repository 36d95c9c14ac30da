/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Without memory for a few thousand small things there is nothing left to do. */
#define uthash_fatal(message) abort()
#include <uthash.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "volume/upkeep/damage.h"

#define RETRY_USEC (500 * USEC_PER_MSEC)

/* After this time the master is told once more if somebody still finds the copy damaged. */
#define TELL_AGAIN_USEC (30 * USEC_PER_SEC)

typedef enum DamageState { DAMAGE_WAITING, DAMAGE_SENT, DAMAGE_TOLD } DamageState;

typedef struct DamagedCopy {
        uint64_t version;
        DamageKind kind;
        DamageState state;
        int result;         /* of the last telling */
        uint64_t told_usec; /* monotonic */
        DamageWait *waits;
        bool is_over; /* it became good while the master was being told */
        UT_hash_handle hh;
        char key[];
} DamagedCopy;

struct Damage {
        MasterLink *master; /* not owned */
        uint32_t number;    /* of this volume */

        pthread_mutex_t lock; /* for the rest */
        DamagedCopy *copies;  /* the one that was told or found last is at the end */
        uint64_t n_found;
        size_t n_waiting;
        bool is_busy; /* a call, or the pause after one, is under way */
        bool is_stopped;
        bool is_full; /* logged once */
};

int damage_new(MasterLink *master, uint32_t number, Damage **ret) {
        _cleanup_(damage_freep) Damage *damage = calloc(1, sizeof(*damage));

        if (!damage)
                return -ENOMEM;

        damage->master = master;
        damage->number = number;
        (void) pthread_mutex_init(&damage->lock, NULL);

        *ret = TAKE_PTR(damage);
        return 0;
}

static void answer(DamageWait *waits) {
        while (waits) {
                DamageWait *wait = waits;

                waits = wait->next;
                wait->done(wait, wait->result);
        }
}

/* Moves those who wait for a copy to the list of those that get an answer. */
static void take_waits(DamagedCopy *copy, int result, DamageWait **list) {
        while (copy->waits) {
                DamageWait *wait = copy->waits;

                copy->waits = wait->next;
                wait->result = result;
                wait->next = *list;
                *list = wait;
        }
}

void damage_stop(Damage *damage) {
        DamageWait *waits = NULL;

        if (!damage)
                return;

        (void) pthread_mutex_lock(&damage->lock);
        damage->is_stopped = true;
        for (DamagedCopy *copy = damage->copies; copy; copy = copy->hh.next)
                take_waits(copy, -EHOSTDOWN, &waits);
        (void) pthread_mutex_unlock(&damage->lock);
        answer(waits);
}

Damage *damage_free(Damage *damage) {
        DamagedCopy *copy, *next;

        if (!damage)
                return NULL;

        HASH_ITER(hh, damage->copies, copy, next) {
                HASH_DEL(damage->copies, copy);
                free(copy);
        }
        (void) pthread_mutex_destroy(&damage->lock);
        free(damage);
        return NULL;
}

static DamagedCopy *find(const Damage *damage, uint64_t version) {
        DamagedCopy *copy;

        HASH_FIND(hh, damage->copies, &version, sizeof(version), copy);
        return copy;
}

static void log_damage(const Damage *damage, const DamagedCopy *copy) {
        char key_field[sizeof("DKV_KEY=") + KEY_MAX],
                        version_field[sizeof("DKV_VERSION=") + DECIMAL_SIZE(uint64_t)],
                        volume_field[sizeof("DKV_VOLUME=") + DECIMAL_SIZE(uint32_t)];

        (void) snprintf(key_field, sizeof(key_field), "DKV_KEY=%s", copy->key);
        (void) snprintf(version_field, sizeof(version_field), "DKV_VERSION=%" PRIu64,
                        copy->version);
        (void) snprintf(volume_field, sizeof(volume_field), "DKV_VOLUME=%" PRIu32, damage->number);
        log_event(LOG_ERR, EVENT_CORRUPTION_FOUND,
                  (const char *[]){ key_field, version_field, volume_field, NULL },
                  "The copy of version %" PRIu64 " of key '%s' on volume %" PRIu32 " %s.",
                  copy->version, copy->key, damage->number, damage_kind_to_sentence(copy->kind));
}

/* Makes room for one more. Returns whether there is. */
static bool make_room(Damage *damage) {
        DamagedCopy *copy = damage->copies;

        if (HASH_COUNT(damage->copies) < DAMAGE_COPIES_MAX)
                return true;
        while (copy && copy->state != DAMAGE_TOLD)
                copy = copy->hh.next;
        if (!copy) {
                if (!damage->is_full)
                        log_warning("More than %d copies are damaged; the rest is told when the "
                                    "master has heard of these.",
                                    DAMAGE_COPIES_MAX);
                damage->is_full = true;
                return false;
        }

        HASH_DEL(damage->copies, copy);
        free(copy);
        return true;
}

/* With the lock held; NULL if there is no room. */
static DamagedCopy *add(Damage *damage, const char *key, uint64_t version, DamageKind kind) {
        size_t size = strlen(key) + 1;
        DamagedCopy *copy = make_room(damage) ? malloc(sizeof(*copy) + size) : NULL;

        if (!copy)
                return NULL;

        *copy = (DamagedCopy){ .version = version, .kind = kind, .state = DAMAGE_WAITING };
        memcpy(copy->key, key, size);
        HASH_ADD(hh, damage->copies, version, sizeof(copy->version), copy);
        damage->n_waiting++;
        log_damage(damage, copy);
        return copy;
}

/* With the lock held. Damage that has become worse is told once more, however recently the
 * master was told. */
static void tell_again(Damage *damage, DamagedCopy *copy, DamageKind kind) {
        if (copy->state != DAMAGE_TOLD ||
            (copy->kind == kind && clock_monotonic() < copy->told_usec + TELL_AGAIN_USEC))
                return;

        copy->kind = kind;
        copy->state = DAMAGE_WAITING;
        damage->n_waiting++;
        HASH_DEL(damage->copies, copy); /* to the end of the order */
        HASH_ADD(hh, damage->copies, version, sizeof(copy->version), copy);
}

static void send_next(void *userdata);

static void post(Damage *damage, uint64_t delay_usec) {
        if (master_link_post(damage->master, delay_usec, send_next, damage) < 0)
                abort(); /* out of memory, and clients wait */
}

/* Answers those whose time is over. */
static void expire(void *userdata) {
        Damage *damage = userdata;
        DamageWait *expired = NULL;
        uint64_t now = clock_monotonic();

        (void) pthread_mutex_lock(&damage->lock);
        for (DamagedCopy *copy = damage->copies; copy; copy = copy->hh.next)
                for (DamageWait **p = &copy->waits; *p;) {
                        DamageWait *wait = *p;

                        if (wait->until_usec > now) {
                                p = &wait->next;
                                continue;
                        }
                        *p = wait->next;
                        wait->result = -EHOSTDOWN;
                        wait->next = expired;
                        expired = wait;
                }
        (void) pthread_mutex_unlock(&damage->lock);
        answer(expired);
}

/* With the lock held. Returns 1 if WAIT will get its answer, else the answer. */
static int wait_for(Damage *damage, DamagedCopy *copy, DamageWait *wait) {
        if (copy && copy->state == DAMAGE_TOLD)
                return copy->result;

        wait->until_usec = clock_monotonic() + DAMAGE_PATIENCE_USEC; /* before expire() looks */
        if (!copy || damage->is_stopped ||
            master_link_post(damage->master, DAMAGE_PATIENCE_USEC + 1, expire, damage) < 0)
                return -EHOSTDOWN;

        wait->next = copy->waits;
        copy->waits = wait;
        return 1;
}

bool damage_found_wait(
                Damage *damage, const char *key, uint64_t version, int error, DamageWait *wait) {
        DamageKind kind = damage_kind_of_error(error);
        DamagedCopy *copy;
        int result = 1;
        bool start;

        if (kind == DAMAGE_NONE)
                return false;

        (void) pthread_mutex_lock(&damage->lock);
        damage->n_found++;
        copy = find(damage, version);
        if (copy)
                tell_again(damage, copy, kind);
        else
                copy = add(damage, key, version, kind);
        if (wait)
                result = wait_for(damage, copy, wait);
        start = damage->n_waiting > 0 && !damage->is_busy && !damage->is_stopped;
        damage->is_busy = damage->is_busy || start;
        (void) pthread_mutex_unlock(&damage->lock);

        if (start)
                post(damage, 0);
        if (result != 1)
                wait->done(wait, result);
        return true;
}

bool damage_found(Damage *damage, const char *key, uint64_t version, int error) {
        return damage_found_wait(damage, key, version, error, NULL);
}

/* An entry that is on its way to the master stays until the answer has come. */
void damage_forget(Damage *damage, uint64_t version) {
        DamageWait *waits = NULL;
        DamagedCopy *copy;

        (void) pthread_mutex_lock(&damage->lock);
        copy = find(damage, version);
        if (copy && copy->state == DAMAGE_SENT)
                copy->is_over = true;
        else if (copy) {
                damage->n_waiting -= copy->state == DAMAGE_WAITING;
                take_waits(copy, 0, &waits);
                HASH_DEL(damage->copies, copy);
                free(copy);
        }
        (void) pthread_mutex_unlock(&damage->lock);
        answer(waits);
}

void damage_count(Damage *damage, uint64_t *ret_copies, uint64_t *ret_found) {
        (void) pthread_mutex_lock(&damage->lock);
        *ret_copies = HASH_COUNT(damage->copies);
        *ret_found = damage->n_found;
        (void) pthread_mutex_unlock(&damage->lock);
}

/* The entries that were sent are told now; without ANSWERS they wait again. */
static void take_answers(Damage *damage, Reader *answers) {
        uint64_t now = clock_monotonic();
        DamageWait *waits = NULL;

        (void) pthread_mutex_lock(&damage->lock);
        for (DamagedCopy *copy = damage->copies; copy; copy = copy->hh.next) {
                if (copy->state != DAMAGE_SENT)
                        continue;
                copy->state = answers ? DAMAGE_TOLD : DAMAGE_WAITING;
                damage->n_waiting += !answers;
                if (answers) {
                        copy->result = wire_get_error(answers);
                        copy->told_usec = copy->is_over ? 0 : now;
                        copy->is_over = false;
                        take_waits(copy, copy->result, &waits);
                }
        }
        (void) pthread_mutex_unlock(&damage->lock);
        answer(waits);
}

static void on_answer(const RpcResult *result, void *userdata) {
        Damage *damage = userdata;
        Reader answers = READER(result->body, result->body_size);

        if (result->error == -ESHUTDOWN)
                return; /* damage_stop() follows */

        if (master_link_result(damage->master, result) == 0) {
                take_answers(damage, &answers);
                send_next(damage);
        } else {
                take_answers(damage, NULL);
                post(damage, RETRY_USEC);
        }
}

/* Writes the next entries to the body of a call. Returns whether there are any. */
static bool take_batch(Damage *damage, Buffer *body) {
        size_t n = 0;

        buffer_put_u32(body, damage->number);
        (void) pthread_mutex_lock(&damage->lock);
        for (DamagedCopy *copy = damage->copies; copy && n < WIRE_DAMAGE_MAX;
             copy = copy->hh.next) {
                if (copy->state != DAMAGE_WAITING)
                        continue;
                wire_put_damage(body, &(WireDamage){
                                                      .version = copy->version,
                                                      .key = copy->key,
                                                      .kind = copy->kind,
                                      });
                copy->state = DAMAGE_SENT;
                n++;
        }
        damage->n_waiting -= n;
        damage->is_busy = n > 0;
        (void) pthread_mutex_unlock(&damage->lock);
        return n > 0;
}

/* On the peers' thread, like everything that touches what was sent. */
static void send_next(void *userdata) {
        Damage *damage = userdata;
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        if (!take_batch(damage, &body))
                return;

        r = buffer_error(&body);
        if (r >= 0)
                r = master_link_call(damage->master, CALL_DAMAGED, &body, on_answer, damage);
        if (r < 0)
                on_answer(&(RpcResult){ .error = r }, damage);
}
