/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage: the copies of this volume that were found damaged, on their way to the master.
 *
 * One call tells of many copies, and is repeated until it is answered. The journal hears of each
 * copy once, the master once in a while as long as somebody reads it. Of more than
 * DAMAGE_COPIES_MAX copies the rest is left to the next reader. All of it may be called from any
 * thread, and does not block. */

#include "core/damage.h"
#include "volume/link/master-link.h"

typedef struct Damage Damage;
typedef struct DamageWait DamageWait;

#define DAMAGE_COPIES_MAX 4096

/* A reader that needs to know what the master makes of the damage. */
struct DamageWait {
        /* On the client's thread, or on the caller's own: 0 if the master sends readers elsewhere
         * now, -ENOENT if the copy is not current any more, -EBADMSG if no other copy is good,
         * -EHOSTDOWN if the master did not answer within DAMAGE_PATIENCE_USEC. */
        void (*done)(DamageWait *wait, int result);
        int result; /* private, as are the others */
        uint64_t until_usec;
        DamageWait *next;
};

#define DAMAGE_PATIENCE_USEC (3 * USEC_PER_SEC)

/* MASTER is not owned; NUMBER is that of this volume. Returns 0 or -ENOMEM. */
int damage_new(MasterLink *master, uint32_t number, Damage **ret);

/* Once the client was freed: gives an answer to all who wait, and from now on to everybody. */
void damage_stop(Damage *damage);
Damage *damage_free(Damage *damage);
DEFINE_CLEANUP(Damage *, damage_free);

/* Notes that reading a copy failed with ERROR. Returns whether that says that the copy is
 * damaged; else nothing was noted. */
bool damage_found(Damage *damage, const char *key, uint64_t version, int error);

/* The same; WAIT stays the caller's until done(), which is not called if this returns false. */
bool damage_found_wait(
                Damage *damage, const char *key, uint64_t version, int error, DamageWait *wait);

/* The copy is good again, or gone. */
void damage_forget(Damage *damage, uint64_t version);

/* How many copies are known to be damaged, and how often somebody read one of them. */
void damage_count(Damage *damage, uint64_t *ret_copies, uint64_t *ret_found);
