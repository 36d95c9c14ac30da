/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage: the copies of this volume that were found damaged, on their way to the master.
 *
 * Many go with one call, which is made again until it is answered. Each copy is told to the journal
 * once, and to the master once in a while as long as somebody stumbles over it; what is beyond
 * DAMAGE_COPIES_MAX is left to the next one who does. All of it is for any thread, and does not
 * block. */

#include "core/damage.h"
#include "volume/link/master-link.h"

typedef struct Damage Damage;
typedef struct DamageWait DamageWait;

#define DAMAGE_COPIES_MAX 4096

/* Somebody who needs to know what the master makes of it. */
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

/* What reading a copy failed with. Returns whether that says that the copy is damaged: else nothing
 * was noted. */
bool damage_found(Damage *damage, const char *key, uint64_t version, int error);

/* Likewise; WAIT stays the caller's until done(). Its done() is not called if this returns false.
 */
bool damage_found_wait(
                Damage *damage, const char *key, uint64_t version, int error, DamageWait *wait);

/* The copy is good again, or gone. */
void damage_forget(Damage *damage, uint64_t version);

/* How many copies are known to be damaged, and how often somebody stumbled over one. */
void damage_count(Damage *damage, uint64_t *ret_copies, uint64_t *ret_found);
