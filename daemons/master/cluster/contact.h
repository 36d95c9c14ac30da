/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Contacts: what the master's calls to each volume came to in the last seconds.
 *
 * A volume whose last call failed is not used for new values and read elsewhere until a call gets
 * through again; the prober (probe.h) sees to it that there is one. What a volume reports of itself
 * says nothing of the way back to it.
 *
 * For any thread, without locks; the caller says what time it is (monotonic). */

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

typedef struct Contacts Contacts;

int contacts_new(Contacts **ret);
Contacts *contacts_free(Contacts *contacts);
DEFINE_CLEANUP(Contacts *, contacts_free);

/* How a call ended: 0 for any answer but a refusal; -EACCES if the volume refuses our calls,
 * -EREMOTE if somebody else is there, -EREMOTEIO for nonsense; -EHOSTDOWN, -ECONNRESET or
 * -ETIMEDOUT if there was no answer. OS_ERROR as in HttpResult. Any other error is of our side and
 * says nothing. */
void contacts_note(Contacts *contacts, uint32_t volume, int error, int os_error, uint64_t now_usec);

/* The volume did not store what it was asked to, for a reason of its own: it gets nothing more
 * until UNTIL_USEC, when it will have said more. */
void contacts_note_unfit(Contacts *contacts, uint32_t volume, uint64_t until_usec);

/* The volume is at another address from now on: what calls to the old one came to says nothing of
 * it. */
void contacts_forget(Contacts *contacts, uint32_t volume);

/* Whether the last call got through, as far as is known. */
bool contacts_is_good(const Contacts *contacts, uint32_t volume);

/* Whether it may get new values besides. */
bool contacts_is_fit(const Contacts *contacts, uint32_t volume, uint64_t now_usec);

typedef struct ContactState {
        unsigned n_failed; /* calls since the last one that got through */
        int error;         /* of the last of them; 0 if there was none */
        int os_error;
        uint64_t failed_usec; /* when the first of them failed */
        uint64_t good_usec;   /* when a call got through last; 0 for never */
} ContactState;

void contacts_get(const Contacts *contacts, uint32_t volume, ContactState *ret);
