/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Raw: an end of a channel that has the secret and says whatever a test wants it to. */

#include "channel/handshake.h"

typedef struct Raw {
        int fd; /* owned */
        Session *session;
        Handshake other; /* what the other end says of itself */
} Raw;

/* Opens a channel to that port of this machine, up to the handshake. */
void raw_dial(Raw *raw, uint16_t port);

/* Takes the next connection; says of itself what ANSWER says. */
void raw_accept(Raw *raw, int listen_fd, const Handshake *answer);

void raw_done(Raw *raw);

/* A frame with its tag. */
typedef struct RawFrame {
        uint8_t *data; /* owned */
        size_t size;
} RawFrame;

RawFrame raw_make(Raw *raw, FrameType type, uint16_t code, uint64_t number, size_t length);
void raw_send_bytes(Raw *raw, const void *data, size_t size);

/* Makes a frame with a payload of zeroes and sends it. */
void raw_send(Raw *raw, FrameType type, uint16_t code, uint64_t number, size_t length);

/* Reads a frame, whose tag must be right, and throws its payload away. Returns false at the end of
 * the connection. */
bool raw_receive(Raw *raw, FrameHeader *ret);
