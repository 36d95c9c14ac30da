/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Handshake: how a channel is opened, as values and texts; no I/O.
 *
 * The caller makes an offer, the receiver accepts it; both are headers of the HTTP request that
 * becomes the channel, and of its answer. Each says who it is, who it believes the other to be,
 * what for, and how much it takes at a time, with 32 random bytes, and is signed with the cluster's
 * secret; the signature of the acceptance covers the offer, too. The keys of the session are made
 * from the secret and both texts. So:
 *
 * - An offer that was recorded is accepted again, but who sends it cannot make the keys.
 * - An acceptance fits one offer only.
 * - The caller's first frame, FRAME_OPEN, shows the receiver that it has the keys; until then
 * nothing that it says counts.
 * - Who was redirected, or sits between the two, cannot have a channel speak to somebody else: both
 *   ends, cluster and purpose are signed by both.
 *
 * As bytes, in this order: form (1), purpose (1), 2 zeroes, calls and bytes at a time (4 each,
 * little-endian like all numbers), cluster (16), from and to (number 4, uuid 16, run 8), nonce
 * (32), tag (16). As text, hex of that. */

#include "channel/session.h"
#include "core/call/identity.h"
#include "core/call/signer.h"

#define HANDSHAKE_PATH     "/-/channel"
#define HANDSHAKE_PROTOCOL "dkv-channel/1" /* in Upgrade; changes with what is said below it */
#define HANDSHAKE_HEADER   "Dkv-Channel"

#define HANDSHAKE_NONCE_SIZE 32
#define HANDSHAKE_SIZE       (12 + CLUSTER_ID_SIZE + 2 * 28 + HANDSHAKE_NONCE_SIZE + 16)
#define HANDSHAKE_TEXT_SIZE  (2 * HANDSHAKE_SIZE + 1) /* with the NUL */

typedef struct Handshake {
        uint8_t purpose;                  /* what is spoken over the channel; the users' number */
        uint8_t cluster[CLUSTER_ID_SIZE]; /* zeroes if there is none yet */
        StoreIdentity from, to;           /* in an offer, the run of TO may be 0: any */
        uint32_t calls_max, bytes_max;    /* that it takes at a time, from when a call is sent until
                                           * its answer is there; of the receiver only */
        uint8_t nonce[HANDSHAKE_NONCE_SIZE];
} Handshake;

/* Both return 0, -ENOMEM or -EIO. */
int handshake_offer(const Handshake *offer, Signer *signer, char ret[static HANDSHAKE_TEXT_SIZE]);
int handshake_accept(
                const Handshake *acceptance,
                const char *offer,
                Signer *signer,
                char ret[static HANDSHAKE_TEXT_SIZE]);

/* Read what the other side sent; TEXT may be NULL. Return 0, -EPROTO for the form of another
 * release, -EACCES for what is absent, malformed, or not signed with our secret, or -ENOMEM. */
int handshake_read_offer(const char *text, Signer *signer, Handshake *ret);
int handshake_read_acceptance(const char *text, const char *offer, Signer *signer, Handshake *ret);

/* Whether ACCEPTANCE comes from whom OFFER was for. Returns 0, or -EREMOTE if that is somebody
 * else. Of the clusters, one may be absent: a store that belongs to none yet. */
int handshake_match(const Handshake *offer, const Handshake *acceptance);

/* Makes the keys of the session from both texts. Returns 0, -ENOMEM or -EIO. */
int handshake_keys(const char *offer, const char *acceptance, Signer *signer, SessionKeys *ret);
