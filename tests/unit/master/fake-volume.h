/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A volume that the test stands in for: it keeps what it is sent, and fails as it is told. */

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "core/call/ticket.h"
#include "core/call/volume-report.h"
#include "core/record.h"
#include "http/server.h"
#include "rpc/rpc-service.h"

#define OBJECTS_MAX 64

typedef enum GetMode { GET_GOOD, GET_CHUNKED, GET_CORRUPT } GetMode;

/* What the test stands in for. The fields of the first block are the test's to set. */
typedef struct FakeVolume {
        int store_error;        /* for each small value; 0 to keep it */
        atomic_uint n_failing;  /* how many of the next calls fail with it */
        int put_error;          /* for a large value, once it is there; 0 to keep it */
        bool put_at_head;       /* or before it is */
        const char *not_stored; /* what Dkv-Not-Stored says then */
        bool put_is_lost;       /* a large value is not answered, once it is there */
        int get_error;
        GetMode get_mode;

        uint32_t number;
        char url[64];
        RpcService *calls; /* freed behind the loops */
        HttpServer *server;
        atomic_uint n_stores, n_puts, n_gets;
        pthread_mutex_t lock;
        Buffer objects[OBJECTS_MAX]; /* as they came; by the order in which they did */
        size_t n_objects;
        Buffer put; /* the last large value */
        char put_query[TICKET_QUERY_SIZE];
} FakeVolume;

/* Starts it, empty, as volume NUMBER of the world. */
void fake_start(FakeVolume *fake, uint32_t number);

/* Nobody listens at its address any more; may be called again. */
void fake_stop(FakeVolume *fake);
void fake_done(FakeVolume *fake);

/* What it would report. */
VolumeReport fake_report(const FakeVolume *fake);

/* The small value of VERSION that it was sent, or NULL. */
const Buffer *fake_find(FakeVolume *fake, uint64_t version, Object *ret);
