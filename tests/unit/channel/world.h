/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* World: both ends of a channel, each on a loop of its own, with a socket of this machine between
 * them; and perhaps somebody who sits on the way and does what networks do. */

#include "channel/channel.h"
#include "channel/outcome.h"
#include "channel/receiver.h"
#include "channel/way.h"

/* What the receiver does with a call of each kind. */
typedef enum WorldKind {
        WORLD_ECHO,   /* answers with the body, at once */
        WORLD_HOLD,   /* keeps it until world_release() */
        WORLD_THREAD, /* as WORLD_ECHO, but a thread answers */
        WORLD_REFUSE,
        WORLD_LONG, /* answers with more than it may */
        _WORLD_KIND_MAX,
        WORLD_UNKNOWN = _WORLD_KIND_MAX, /* the caller alone knows this one */
} WorldKind;

#define WORLD_BODY_MAX (256 * KIB)
#define WORLD_SECRET   "a secret of thirty-two bytes ..."

extern const StoreIdentity world_volume; /* the receiver */

typedef struct World World;

typedef struct WorldOptions {
        uint32_t calls_max, bytes_max; /* 0 for many */
        uint64_t silence_usec;         /* 0 for the default */
        uint64_t waiting_max;
        const char *caller_secret; /* NULL for the right one */
        const char *answer;        /* what is answered instead of HTTP status 101; the connection is
                                    * closed then */
        bool is_mute;              /* nothing is answered to requests */
        void (*change)(Handshake *answer); /* changes what the receiver says of itself */
        bool has_way;                      /* there is somebody on the way */
        const struct World *beside; /* whose channel is on the same loop; freed after this one */

        /* Hears of each call before it is looked at, on the receiver's loop. */
        void (*on_call)(const Incoming *incoming);
} WorldOptions;

World *world_new(const WorldOptions *options);
World *world_free(World *world);

/* NULL without has_way. */
Way *world_way(World *world);

/* Calls, on the loop, with a body of SIZE bytes that depend on SEED. Returns as channel_call(). */
int world_call(World *world, unsigned kind, size_t size, uint8_t seed, Outcome *ret);
int world_call_timeout(
                World *world,
                unsigned kind,
                size_t size,
                uint8_t seed,
                uint64_t usec,
                Outcome *ret);

/* NUMBER, in the stamp, is told to WorldOptions.on_call(). */
int world_call_number(World *world, unsigned kind, size_t size, uint64_t number, Outcome *ret);

int world_cancel(World *world, const Outcome *outcome);

/* Waits until so many calls are held. */
void world_wait_held(World *world, unsigned n);
/* Answers those that are held, the last one first, from this thread. */
void world_release(World *world);
/* How many of them nobody waits for any more. */
unsigned world_abandoned(World *world);
void world_wait_abandoned(World *world, unsigned n);

/* Tells all callers that the receiver is being stopped. */
void world_close(World *world, const char *reason);
/* Cuts all connections at the receiver's side. */
void world_cut(World *world);
/* Stops to listen, so that connections are refused; listens again at the same port. */
void world_deafen(World *world);
void world_hear(World *world);

uint16_t world_port(const World *world); /* of the receiver */
Channel *world_channel(World *world);
Loop *world_caller_loop(World *world);

/* Whether somebody has connected to the receiver and was not let in yet. */
bool world_has_visitors(World *world);

/* Runs FUNCTION on the channel's loop. */
void world_run(World *world, void (*function)(void *userdata), void *userdata);

/* Returns when both loops have done what they were doing, so that what is counted is counted. */
void world_settle(World *world);

unsigned world_received(const World *world);  /* calls, by the receiver */
unsigned world_receivers(const World *world); /* that there are now */
const ChannelCounters *world_receiver_counters(const World *world);
