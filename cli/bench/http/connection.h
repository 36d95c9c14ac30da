/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Connection: carries out one operation after the other, with a kept-alive socket per authority
 * that redirects led it to. It never blocks: its owner passes it the events of its sockets. */

#include "base/buffer.h"
#include "bench/http/body.h"
#include "bench/http/link.h"
#include "bench/load/load.h"
#include "http/parser/parser.h"

/* How an operation ended. */
typedef enum Outcome {
        OUTCOME_OK,
        OUTCOME_MISSING,   /* 404 */
        OUTCOME_STATUS,    /* another status than wanted */
        OUTCOME_CONNECT,   /* no connection */
        OUTCOME_RESET,     /* connection lost before the answer */
        OUTCOME_SHORT,     /* connection lost in the middle of the answer */
        OUTCOME_TIMEOUT,   /* nothing moved for too long */
        OUTCOME_MALFORMED, /* not HTTP, or a redirect that leads nowhere */
        OUTCOME_WRONG,     /* bytes that are not the value's */
        _OUTCOME_MAX,
} Outcome;

const char *outcome_to_string(Outcome outcome) _const_;

/* What the connections of a thread have in common. */
typedef struct ConnectionShared {
        int epoll_fd;
        const Options *options;
        bool verify;
        bool follow;
        Authorities *authorities;
        const char *url; /* of the server that is asked first */
        uint8_t *input;  /* of CONNECTION_BUFFER_SIZE bytes, for what has just come in … */
        uint8_t *output; /* … or is about to go out */
        uint64_t now_usec;
} ConnectionShared;

#define CONNECTION_BUFFER_SIZE (128 * KIB)

/* Of an answer's head */
#define CONNECTION_HEAD_MAX   (16 * KIB)
#define CONNECTION_STORE_SIZE (CONNECTION_HEAD_MAX + HTTP_STORE_EXTRA)

struct Connection {
        ConnectionShared *shared;   /* not owned */
        Connection *next;           /* for the owner */
        uint64_t paused_until_usec; /* likewise */
        uint64_t retry_until_usec;  /* likewise */
        bool is_repeated;           /* likewise */

        Operation operation;
        char path[KEY_PATH_SIZE]; /* the key's */
        uint64_t key;             /* its hash */

        Link *links; /* all that there are; owned */
        Link *link;  /* the one in use, NULL if there is no operation under way */
        Buffer head; /* of the request */
        Body body;
        uint64_t sent;          /* of head and body */
        uint64_t moved_at_usec; /* when bytes last came or went */
        unsigned redirects;
        bool held; /* the body waits for 100 Continue */

        HttpParser response;
        char store[CONNECTION_STORE_SIZE]; /* the parser's */
        ValueCheck check;
        uint64_t received; /* of the answer's body */

        Outcome outcome; /* of the last operation */
};

void connection_init(Connection *connection, ConnectionShared *shared);
void connection_done(Connection *connection);

/* These return true when the operation is over, with the outcome in the connection. */

/* Begins OPERATION; connection->path is the key's path, TARGET a path or URL to ask. */
bool connection_start(Connection *connection, const Operation *operation, const char *target);

/* Events of one of its sockets; also while no operation is under way. */
bool connection_on_event(Connection *connection, Link *link, uint32_t events);

/* To be called now and then while an operation is under way: looks after its time-outs. */
bool connection_tick(Connection *connection);
