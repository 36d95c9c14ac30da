/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "channel/channel.h"
#include "frames.h"
#include "fuzz.h"

#define SECRET  "a secret of thirty-two bytes ..."
#define N_CALLS 6
#define CREDIT  4 /* calls at a time */

#define BODY_SIZE 10

static const ChannelCallType types[] = { { 1000, 1000 }, { 64, 64 } };

static Loop *loop;
static Signer *signer;
static int listen_fd;
static char url[64];
static Channel *channel;
static atomic_uint n_outcomes;

static void begin(void) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t size = sizeof(address);

        assert(signer_new(SECRET, strlen(SECRET), &signer) >= 0);
        assert(loop_new(&loop) >= 0 && loop_start(loop) >= 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(listen_fd >= 0 && bind(listen_fd, (struct sockaddr *) &address, size) >= 0);
        assert(listen(listen_fd, 8) >= 0);
        assert(getsockname(listen_fd, (struct sockaddr *) &address, &size) >= 0);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void introduce(Handshake *offer, void *userdata) {
}

static void on_answer(const ChannelResult *result, void *userdata) {
        assert(result->error <= 0 && result->reason);
        assert(result->error < 0 || result->body_size <= 1000);
        assert(result->body_size == 0 || result->body);
        n_outcomes++;
}

/* The last call but one is larger than what is taken at a time. */
static void start(void *userdata) {
        static const uint8_t large[1000];
        const ChannelOptions options = {
                .loop = loop,
                .url = url,
                .signer = signer,
                .types = types,
                .n_types = ELEMENTSOF(types),
                .introduce = introduce,
        };

        assert(channel_new(&options, &channel) >= 0);
        for (uint16_t i = 0; i < N_CALLS; i++) {
                Buffer body = {};
                ChannelCall call = { .kind = i % 2, .body = &body, .on_answer = on_answer };

                buffer_put(&body, large, i == N_CALLS - 2 ? sizeof(large) : BODY_SIZE);
                assert(channel_call(channel, &call, NULL) >= 0);
        }
}

static void cancel(void *userdata) {
        (void) channel_cancel(channel, 2);
}

static void end(void *userdata) {
        channel = channel_free(channel);
}

/* Reads FRAME_OPEN and the calls that there is credit for; what is answered before they are sent is
 * wrong. */
static void await_calls(int fd) {
        uint8_t data[FRAME_HEADER_SIZE + FRAME_TAG_SIZE +
                     CREDIT * (FRAME_HEADER_SIZE + FRAME_STAMP_SIZE + BODY_SIZE + FRAME_TAG_SIZE)];

        assert(recv(fd, data, sizeof(data), MSG_WAITALL) == sizeof(data));
}

/* Accepts the channel with the right keys, and answers with frames. */
static void accept_offer(int fd, char *head, const uint8_t *data, size_t size, Buffer *ret) {
        Handshake offer, answer = { .calls_max = CREDIT, .bytes_max = 1000 };
        char *text = strstr(head, HANDSHAKE_HEADER ": ") + strlen(HANDSHAKE_HEADER ": ");
        char acceptance[HANDSHAKE_TEXT_SIZE], reply[1024];
        SessionKeys keys;
        Session *session;
        int n;

        *strstr(text, "\r\n") = '\0';
        assert(handshake_read_offer(text, signer, &offer) >= 0);
        answer.purpose = offer.purpose;
        answer.to = offer.from;
        assert(handshake_accept(&answer, text, signer, acceptance) >= 0);
        assert(handshake_keys(text, acceptance, signer, &keys) >= 0);
        n = snprintf(reply, sizeof(reply),
                     "HTTP/1.1 101 Go\r\nUpgrade: " HANDSHAKE_PROTOCOL "\r\n" HANDSHAKE_HEADER
                     ": %s\r\n\r\n",
                     acceptance);
        assert(send(fd, reply, (size_t) n, MSG_NOSIGNAL) == n);
        await_calls(fd);
        assert(session_new_receiver(&keys, &session) >= 0);
        frames_make(session, data, size, ret);
        (void) session_free(session);
}

/* The first byte says whether a call is cancelled, and whether the rest is what is answered to the
 * offer, or frames behind a good answer, see frames.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer bytes = {};
        _cleanup_close_ int fd = -1;
        char head[2048];
        ssize_t n;

        if (size < 1)
                return 0;
        if (!loop)
                begin();

        n_outcomes = 0;
        loop_call(loop, start, NULL);
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        assert(fd >= 0);
        n = recv(fd, head, sizeof(head) - 1, 0);
        assert(n > 0);
        head[n] = '\0';
        if (data[0] % 2 == 0)
                accept_offer(fd, head, data + 1, size - 1, &bytes);
        else
                buffer_put(&bytes, data + 1, size - 1);
        (void) send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (data[0] % 4 >= 2)
                loop_call(loop, cancel, NULL);
        (void) shutdown(fd, SHUT_WR);
        while (recv(fd, head, sizeof(head), 0) > 0) /* until the channel has read all of it */
                ;
        loop_call(loop, end, NULL);
        assert(n_outcomes == N_CALLS);
        return 0;
}
