/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>

#include "core/placement/cluster.h"
#include "master/cluster/contact.h"

/* Each member by itself: what is read while it changes is from just before or just after. */
typedef struct Entry {
        atomic_uint n_failed;
        atomic_int error, os_error;
        atomic_uint_least64_t failed_usec, good_usec, unfit_until_usec;
} Entry;

struct Contacts {
        Entry entries[VOLUME_MAX + 1]; /* calloc() leaves pages that nobody touches to the system */
};

int contacts_new(Contacts **ret) {
        Contacts *contacts = calloc(1, sizeof(*contacts));

        if (!contacts)
                return -ENOMEM;

        *ret = contacts;
        return 0;
}

Contacts *contacts_free(Contacts *contacts) {
        free(contacts);
        return NULL;
}

static void note_good(Entry *entry, uint64_t now_usec) {
        atomic_store_explicit(&entry->good_usec, now_usec, memory_order_relaxed);
        if (atomic_load_explicit(&entry->n_failed, memory_order_relaxed) > 0)
                atomic_store(&entry->n_failed, 0);
}

/* Anything else is of this side: it stops, the client has gone, memory is short. */
static bool is_of_volume(int error) {
        return error == -EHOSTDOWN || error == -ECONNRESET || error == -ETIMEDOUT ||
               error == -EACCES || error == -EREMOTE || error == -EREMOTEIO;
}

void contacts_note(
                Contacts *contacts, uint32_t volume, int error, int os_error, uint64_t now_usec) {
        Entry *entry = contacts->entries + volume;

        assert(volume <= VOLUME_MAX);

        if (error >= 0) {
                note_good(entry, now_usec);
                return;
        }
        if (!is_of_volume(error))
                return;

        atomic_store(&entry->error, error);
        if (os_error > 0 || atomic_load(&entry->n_failed) == 0) /* not all calls know it */
                atomic_store(&entry->os_error, os_error);
        if (atomic_load(&entry->n_failed) == 0)
                atomic_store(&entry->failed_usec, now_usec);
        (void) atomic_fetch_add(&entry->n_failed, 1);
}

void contacts_note_unfit(Contacts *contacts, uint32_t volume, uint64_t until_usec) {
        assert(volume <= VOLUME_MAX);

        atomic_store(&contacts->entries[volume].unfit_until_usec, until_usec);
}

void contacts_forget(Contacts *contacts, uint32_t volume) {
        assert(volume <= VOLUME_MAX);

        atomic_store(&contacts->entries[volume].good_usec, 0);
        atomic_store(&contacts->entries[volume].n_failed, 0);
}

bool contacts_is_good(const Contacts *contacts, uint32_t volume) {
        return atomic_load_explicit(&contacts->entries[volume].n_failed, memory_order_relaxed) == 0;
}

bool contacts_is_fit(const Contacts *contacts, uint32_t volume, uint64_t now_usec) {
        const Entry *entry = contacts->entries + volume;

        return contacts_is_good(contacts, volume) &&
               atomic_load_explicit(&entry->unfit_until_usec, memory_order_relaxed) <= now_usec;
}

void contacts_get(const Contacts *contacts, uint32_t volume, ContactState *ret) {
        const Entry *entry = contacts->entries + volume;
        unsigned n_failed = atomic_load(&entry->n_failed);

        *ret = (ContactState){
                .n_failed = n_failed,
                .error = n_failed > 0 ? atomic_load(&entry->error) : 0,
                .os_error = n_failed > 0 ? atomic_load(&entry->os_error) : 0,
                .failed_usec = n_failed > 0 ? atomic_load(&entry->failed_usec) : 0,
                .good_usec = atomic_load(&entry->good_usec),
        };
}
