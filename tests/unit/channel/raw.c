/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "channel/raw.h"
#include "channel/receiver.h"
#include "channel/world.h"

static Signer *new_signer(void) {
        Signer *signer;

        assert_ok(signer_new(WORLD_SECRET, strlen(WORLD_SECRET), &signer));
        return signer;
}

/* Reads up to the end of the head. */
static void read_head(int fd, char *head, size_t size) {
        size_t n = 0;

        while (n < 4 || strcmp(head + n - 4, "\r\n\r\n") != 0) {
                assert_true(n < size - 1);
                assert_int_equal(recv(fd, head + n, 1, 0), 1);
                head[++n] = '\0';
        }
}

/* What stands in the header of the handshake; cuts the head off behind it. */
static const char *handshake_text(char *head) {
        char *text = strstr(head, HANDSHAKE_HEADER ": ");

        assert_non_null(text);
        text += strlen(HANDSHAKE_HEADER ": ");
        *strstr(text, "\r\n") = '\0';
        return text;
}

void raw_dial(Raw *raw, uint16_t port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
        Handshake offer = { .purpose = 3, .to = world_volume };
        char text[HANDSHAKE_TEXT_SIZE], head[2048];
        Signer *signer = new_signer();
        const char *acceptance;
        SessionKeys keys;
        int size;

        *raw = (Raw){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_ok(connect(raw->fd, (struct sockaddr *) &address, sizeof(address)));
        assert_ok(handshake_offer(&offer, signer, text));
        size = snprintf(head, sizeof(head),
                        "GET /-/channel HTTP/1.1\r\nHost: x\r\n" HANDSHAKE_HEADER ": %s\r\n\r\n",
                        text);
        raw_send_bytes(raw, head, (size_t) size);
        read_head(raw->fd, head, sizeof(head));
        acceptance = handshake_text(head);
        assert_ok(handshake_read_acceptance(acceptance, text, signer, &raw->other));
        assert_ok(handshake_keys(text, acceptance, signer, &keys));
        assert_ok(session_new_caller(&keys, &raw->session));
        (void) signer_free(signer);
}

void raw_accept(Raw *raw, int listen_fd, const Handshake *answer) {
        char text[HANDSHAKE_TEXT_SIZE], head[2048];
        Signer *signer = new_signer();
        const char *offer;
        SessionKeys keys;
        int size;

        *raw = (Raw){ .fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC) };
        assert_ok(raw->fd);
        read_head(raw->fd, head, sizeof(head));
        offer = handshake_text(head);
        assert_ok(handshake_read_offer(offer, signer, &raw->other));
        assert_ok(receiver_accept(offer, &raw->other, answer, signer, text, &keys));
        assert_ok(session_new_receiver(&keys, &raw->session));
        size = snprintf(head, sizeof(head),
                        "HTTP/1.1 101 Go\r\nUpgrade: " HANDSHAKE_PROTOCOL "\r\n" HANDSHAKE_HEADER
                        ": %s\r\n\r\n",
                        text);
        raw_send_bytes(raw, head, (size_t) size);
        (void) signer_free(signer);
}

void raw_done(Raw *raw) {
        (void) close(raw->fd);
        raw->session = session_free(raw->session);
}

RawFrame raw_make(Raw *raw, FrameType type, uint16_t code, uint64_t number, size_t length) {
        FrameHeader header = { (uint32_t) length, type, code, number };
        RawFrame frame = { .size = FRAME_HEADER_SIZE + length + FRAME_TAG_SIZE };

        frame.data = calloc(1, frame.size);
        assert_non_null(frame.data);
        frame_header_encode(&header, frame.data);
        assert_ok(session_seal(
                        raw->session, frame.data, FRAME_HEADER_SIZE, frame.data + FRAME_HEADER_SIZE,
                        length, frame.data + FRAME_HEADER_SIZE + length));
        return frame;
}

/* Who does not want them may have closed the connection. */
void raw_send_bytes(Raw *raw, const void *data, size_t size) {
        (void) send(raw->fd, data, size, MSG_NOSIGNAL);
}

void raw_send(Raw *raw, FrameType type, uint16_t code, uint64_t number, size_t length) {
        RawFrame frame = raw_make(raw, type, code, number, length);

        raw_send_bytes(raw, frame.data, frame.size);
        free(frame.data);
}

static bool receive(Raw *raw, void *data, size_t size) {
        return size == 0 || recv(raw->fd, data, size, MSG_WAITALL) == (ssize_t) size;
}

static bool receive_frame(Raw *raw, FrameHeader *ret) {
        uint8_t head[FRAME_HEADER_SIZE], tag[FRAME_TAG_SIZE], *payload;
        Frame frame = { .head = head, .tag = tag };
        bool is_there;

        if (!receive(raw, head, sizeof(head)))
                return false;
        assert_ok(frame_header_decode(head, &frame.header));
        frame.payload = payload = malloc(frame.header.length + (size_t) 1);
        assert_non_null(payload);
        is_there = receive(raw, payload, frame.header.length) && receive(raw, tag, sizeof(tag));
        if (is_there)
                assert_ok(session_check(raw->session, &frame));
        free(payload);
        *ret = frame.header;
        return is_there;
}

bool raw_receive(Raw *raw, FrameHeader *ret) {
        do
                if (!receive_frame(raw, ret))
                        return false;
        while (ret->type == FRAME_PING);
        return true;
}
