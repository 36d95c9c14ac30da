/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a call over a channel costs: both ends on this machine, in a process each, the receiver
 * sends each body back. Says what each call takes of the processors of both, and how many calls of
 * receive and send; `strace -fc` counts the others. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "channel/channel.h"
#include "channel/receiver.h"

#define SECRET "a secret of thirty-two bytes ..."

static const ChannelCallType types[] = { { MIB, MIB } };

/* -- The receiver's process -- */

static ChannelCounters received;

static void echo(Incoming *incoming, void *userdata) {
        Buffer body = {};

        buffer_put(&body, incoming->body, incoming->body_size);
        incoming_answer(incoming, &incoming->stamp, &body);
}

static void on_closed(Receiver *receiver, int error, const char *reason, void *userdata) {
        (void) sem_post(userdata);
}

static void answer_offer(int fd, Loop *loop, sem_t *closed) {
        char head[2048], acceptance[HANDSHAKE_TEXT_SIZE], reply[1024], *text;
        Handshake offer, answer = { .calls_max = 1024, .bytes_max = 64 * MIB };
        ReceiverOptions options = {
                .loop = loop,
                .offer = &offer,
                .answer = &answer,
                .types = types,
                .n_types = ELEMENTSOF(types),
                .on_call = echo,
                .on_closed = on_closed,
                .userdata = closed,
                .counters = &received,
        };
        SessionKeys keys;
        Receiver *receiver;
        Signer *signer;
        ssize_t n;
        int size;

        n = recv(fd, head, sizeof(head) - 1, 0);
        assert(n > 0);
        head[n] = '\0';
        text = strstr(head, HANDSHAKE_HEADER ": ") + strlen(HANDSHAKE_HEADER ": ");
        *strstr(text, "\r\n") = '\0';
        assert(signer_new(SECRET, strlen(SECRET), &signer) >= 0);
        assert(handshake_read_offer(text, signer, &offer) >= 0);
        assert(receiver_accept(text, &offer, &answer, signer, acceptance, &keys) >= 0);
        (void) signer_free(signer);
        size = snprintf(reply, sizeof(reply),
                        "HTTP/1.1 101 Go\r\nUpgrade: " HANDSHAKE_PROTOCOL "\r\n" HANDSHAKE_HEADER
                        ": %s\r\n\r\n",
                        acceptance);
        assert(send(fd, reply, (size_t) size, 0) == size);
        options.keys = &keys;
        assert(receiver_new(&options, fd, NULL, 0, &receiver) >= 0);
}

static int be_receiver(int listen_fd) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        Loop *loop;
        sem_t closed;

        assert(fd >= 0 && sem_init(&closed, 0, 0) >= 0);
        assert(loop_new(&loop) >= 0);
        answer_offer(fd, loop, &closed);
        assert(loop_start(loop) >= 0);
        while (sem_wait(&closed) < 0)
                ;
        loop_stop(loop);
        (void) loop_free(loop);
        return 0;
}

/* -- The caller's -- */

typedef struct Load {
        Channel *channel;
        size_t size;
        uint64_t left, under_way;
        sem_t done;
} Load;

static void on_answer(const ChannelResult *result, void *userdata);

static void call(Load *load) {
        Buffer body = {};
        ChannelCall what = { .body = &body, .on_answer = on_answer, .userdata = load };
        static uint8_t data[MIB];

        load->left--;
        load->under_way++;
        buffer_put(&body, data, load->size);
        assert(channel_call(load->channel, &what, NULL) >= 0);
}

static void on_answer(const ChannelResult *result, void *userdata) {
        Load *load = userdata;

        assert(result->error == 0 && result->body_size == load->size);
        load->under_way--;
        if (load->left > 0)
                call(load);
        else if (load->under_way == 0)
                (void) sem_post(&load->done);
}

typedef struct Start {
        Load *load;
        uint64_t depth;
} Start;

static void start(void *userdata) {
        const Start *what = userdata;

        for (uint64_t i = 0; i < what->depth; i++)
                call(what->load);
}

static void introduce(Handshake *offer, void *userdata) {
}

static void end(void *userdata) {
        Load *load = userdata;

        load->channel = channel_free(load->channel);
}

static double cpu_usec(int who) {
        struct rusage usage;

        (void) getrusage(who, &usage);
        return 1e6 * (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Makes N calls, DEPTH at a time. */
static void be_caller(Loop *loop, const char *url, size_t size, uint64_t n, uint64_t depth) {
        Load load = { .size = size, .left = n };
        ChannelOptions options = {
                .loop = loop,
                .url = url,
                .types = types,
                .n_types = ELEMENTSOF(types),
                .introduce = introduce,
        };
        double before = cpu_usec(RUSAGE_SELF) + cpu_usec(RUSAGE_CHILDREN), cpu;
        Start what = { &load, depth };
        const ChannelCounters *counters;
        uint64_t begin = clock_monotonic(), receives, sends;

        assert(sem_init(&load.done, 0, 0) >= 0);
        assert(signer_new(SECRET, strlen(SECRET), &options.signer) >= 0);
        assert(channel_new(&options, &load.channel) >= 0);
        loop_call(loop, start, &what);
        while (sem_wait(&load.done) < 0)
                ;
        counters = channel_counters(load.channel);
        receives = counters->receives;
        sends = counters->sends;
        begin = clock_monotonic() - begin;
        loop_call(loop, end, &load);
        (void) signer_free(options.signer);
        (void) wait(NULL);
        cpu = cpu_usec(RUSAGE_SELF) + cpu_usec(RUSAGE_CHILDREN) - before;
        printf("%zu bytes, %3lu at a time: %6.2f us of CPU a call (both), %6.2f us of time; caller: %.2f "
               "recv, %.2f sendmsg\n",
               size, (unsigned long) depth, cpu / (double) n, (double) begin / (double) n,
               (double) receives / (double) n, (double) sends / (double) n);
}

static void run(size_t size, uint64_t n, uint64_t depth) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t length = sizeof(address);
        char url[64];
        Loop *loop;
        pid_t pid;
        int fd;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(fd >= 0 && bind(fd, (struct sockaddr *) &address, length) >= 0);
        assert(listen(fd, 8) >= 0);
        assert(getsockname(fd, (struct sockaddr *) &address, &length) >= 0);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));
        (void) fflush(stdout);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0)
                _exit(be_receiver(fd));

        assert(loop_new(&loop) >= 0 && loop_start(loop) >= 0);
        be_caller(loop, url, size, n, depth);
        loop_stop(loop);
        (void) loop_free(loop);
        (void) close(fd);
}

int main(int argc, char *argv[]) {
        uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;

        run(8 * KIB, n, 1);
        run(8 * KIB, n, 8);
        run(8 * KIB, n, 32);
        run(100, n, 1);
        run(100, n, 32);
        return EXIT_SUCCESS;
}
