/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A machine that does not do as it should: preloaded into a daemon. The file that $DKV_MISHAP names
 * says what goes wrong from now on, one per line:
 *
 *   clock SECONDS   the time of day is so much ahead, or behind if negative
 *   create ERRNO    unnamed files cannot be made
 *   room ERRNO      room cannot be claimed for them
 *   connect PORT    nobody can be reached there */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEXT(function) ((typeof(&(function))) dlsym(RTLD_NEXT, #function))

static atomic_long clock_ahead, create_error, room_error, closed_port;

static void read_file(void) {
        const char *path = getenv("DKV_MISHAP");
        long clock = 0, create = 0, room = 0, port = 0;
        char text[256] = "", *line, *rest = text;
        int fd = path ? NEXT(open)(path, O_RDONLY | O_CLOEXEC) : -1;

        if (fd >= 0) {
                (void) !read(fd, text, sizeof(text) - 1);
                (void) close(fd);
        }
        while ((line = strsep(&rest, "\n"))) {
                (void) sscanf(line, "clock %ld", &clock);
                (void) sscanf(line, "create %ld", &create);
                (void) sscanf(line, "room %ld", &room);
                (void) sscanf(line, "connect %ld", &port);
        }
        clock_ahead = clock;
        create_error = create;
        room_error = room;
        closed_port = port;
}

/* The file is read ten times a second at most: the time is asked for all the time. */
static void look(void) {
        static atomic_long looked;
        struct timespec now;
        long tenth, before;

        (void) NEXT(clock_gettime)(CLOCK_MONOTONIC, &now);
        tenth = now.tv_sec * 10 + now.tv_nsec / 100000000;
        before = looked;
        if (tenth != before && atomic_compare_exchange_strong(&looked, &before, tenth))
                read_file();
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = NEXT(clock_gettime)(clock, ret);

        look();
        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                ret->tv_sec += clock_ahead;
        return r;
}

time_t time(time_t *ret) {
        struct timespec now;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

static int fail(long error) {
        errno = (int) error;
        return -1;
}

static bool is_closed(const struct sockaddr *address) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) address;

        return closed_port != 0 && address->sa_family == AF_INET &&
               ntohs(in->sin_port) == closed_port;
}

static int open_at(int dir_fd, const char *path, int flags, mode_t mode) {
        look();
        if ((flags & O_TMPFILE) == O_TMPFILE && create_error != 0)
                return fail(create_error);
        return NEXT(openat)(dir_fd, path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...) {
        va_list arguments;
        mode_t mode;

        va_start(arguments, flags);
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
        va_end(arguments);
        return open_at(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...) {
        va_list arguments;
        mode_t mode;

        va_start(arguments, flags);
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
        va_end(arguments);
        return open_at(dir_fd, path, flags, mode);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
        look();
        return room_error != 0 ? fail(room_error) : NEXT(fallocate)(fd, mode, offset, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
        look();
        return room_error != 0 ? fail(room_error) : NEXT(fallocate64)(fd, mode, offset, size);
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
        look();
        return is_closed(address) ? fail(ENETUNREACH) : NEXT(connect)(fd, address, size);
}

/* Whether a connection from before leads there. */
static bool is_cut(int fd) {
        struct sockaddr_storage peer;
        socklen_t peer_size = sizeof(peer);

        look();
        return closed_port != 0 && getpeername(fd, (struct sockaddr *) &peer, &peer_size) == 0 &&
               is_closed((struct sockaddr *) &peer);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
        return is_cut(fd) ? fail(ENETUNREACH) : NEXT(send)(fd, data, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        return is_cut(fd) ? fail(ENETUNREACH) : NEXT(sendmsg)(fd, message, flags);
}
