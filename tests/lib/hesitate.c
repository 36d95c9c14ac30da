/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Hesitate: a library to preload, with which threads hesitate where it is decided which of them is
 * first: around locks, semaphores and conditions, around what sockets and eventfds say, at the
 * start of a thread. What is right only because one thread is usually faster than another does not
 * stay so, and the processors have nothing to do meanwhile.
 *
 * DKV_HESITATE=SEED[:PERCENT[:MAX_USEC]] says how often, and how long at most. Most sleeps are
 * short, up to a fiftieth of that; some are long. Each thread draws from the seed and from its
 * place among the threads, without a lock: the same seed does about the same. */

#include <dlfcn.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "base/macro.h"

#define LONG_ONES   16 /* one sleep of so many */
#define SHORT_SHARE 50

#define CALLER __builtin_return_address(0)

static unsigned percent, max_usec;
static uintptr_t program_begin, program_end; /* its code */
static uint64_t seed;
static atomic_uint n_threads;
static _Thread_local uint64_t state __attribute__((tls_model("initial-exec")));

/* Of the first object, which is the program itself. */
static int find_program(struct dl_phdr_info *info, size_t size, void *userdata) {
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *header = info->dlpi_phdr + i;

                if (header->p_type == PT_LOAD && (header->p_flags & PF_X)) {
                        program_begin = info->dlpi_addr + header->p_vaddr;
                        program_end = program_begin + header->p_memsz;
                }
        }
        return 1;
}

__attribute__((constructor)) static void begin(void) {
        const char *setting = getenv("DKV_HESITATE");
        unsigned long long first = 1;
        unsigned often = 6, longest = 50000;

        (void) dl_iterate_phdr(find_program, NULL);
        if (setting)
                (void) sscanf(setting, "%llu:%u:%u", &first, &often, &longest);
        seed = first;
        max_usec = MAX(longest, (unsigned) SHORT_SHARE);
        percent = often;
}

/* xorshift64*; never 0 */
static uint64_t draw(void) {
        if (state == 0)
                state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
                        (atomic_fetch_add(&n_threads, 1) + 1) * UINT64_C(0xd1342543de82ef95);
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return (state * UINT64_C(0x2545f4914f6cdd1d)) >> 16;
}

static bool is_drawn(void) {
        return percent > 0 && draw() % 100 < percent;
}

/* By the system call itself: the function is where threads are cancelled. */
static void sleep_a_while(void) {
        bool is_long = draw() % LONG_ONES == 0;
        unsigned range = is_long ? max_usec : max_usec / SHORT_SHARE;
        uint64_t usec = draw() % range;
        struct timespec time = { .tv_nsec = (long) usec * 1000 };
        int error = errno;

        if (is_long)
                time.tv_nsec = MAX(time.tv_nsec, (long) max_usec * 400);
        (void) syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
        errno = error;
}

static void hesitate(void) {
        if (is_drawn())
                sleep_a_while();
}

/* Locks of libraries are not ours, and Berkeley DB takes thousands of them for one change. */
static void hesitate_at_lock(void *caller) {
        if ((uintptr_t) caller >= program_begin && (uintptr_t) caller < program_end)
                hesitate();
}

/* Threads hear of each other by sockets and by what has no type, such as eventfds; not by files. */
static void hesitate_at(int fd) {
        int error = errno;
        struct stat st;

        if (is_drawn() && fstat(fd, &st) >= 0 && (S_ISSOCK(st.st_mode) || !(st.st_mode & S_IFMT)))
                sleep_a_while();
        errno = error;
}

/* Of conditions, dlsym() may find an old version that does not know the same struct. */
static void *find(const char *name) {
        void *function = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");

        return function ? function : dlsym(RTLD_NEXT, name);
}

#define FIND(type, name, parameters) \
        static type(*real_##name(void)) parameters { \
                static _Atomic(void *) found; \
\
                if (!atomic_load(&found)) \
                        atomic_store(&found, find(#name)); \
                return (type(*) parameters) atomic_load(&found); \
        }

/* Puts a function in the place of the C library's that calls it and pauses before and behind. */
#define AROUND(type, name, parameters, arguments, pause) \
        FIND(type, name, parameters) \
        __attribute__((visibility("default"))) type name parameters { \
                type r; \
\
                pause; \
                r = real_##name() arguments; \
                pause; \
                return r; \
        }

/* clang-format off */
AROUND(int, pthread_mutex_lock, (pthread_mutex_t *mutex), (mutex), hesitate_at_lock(CALLER))
AROUND(int, pthread_mutex_unlock, (pthread_mutex_t *mutex), (mutex), hesitate_at_lock(CALLER))
AROUND(int, pthread_rwlock_rdlock, (pthread_rwlock_t *lock), (lock), hesitate_at_lock(CALLER))
AROUND(int, pthread_rwlock_wrlock, (pthread_rwlock_t *lock), (lock), hesitate_at_lock(CALLER))
AROUND(int, pthread_rwlock_unlock, (pthread_rwlock_t *lock), (lock), hesitate_at_lock(CALLER))
AROUND(int, pthread_cond_wait, (pthread_cond_t *cond, pthread_mutex_t *mutex), (cond, mutex), hesitate_at_lock(CALLER))
AROUND(int, pthread_cond_timedwait,
       (pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until),
       (cond, mutex, until), hesitate_at_lock(CALLER))
AROUND(int, pthread_cond_signal, (pthread_cond_t *cond), (cond), hesitate_at_lock(CALLER))
AROUND(int, pthread_cond_broadcast, (pthread_cond_t *cond), (cond), hesitate_at_lock(CALLER))

AROUND(int, sem_post, (sem_t *semaphore), (semaphore), hesitate())
AROUND(int, sem_wait, (sem_t *semaphore), (semaphore), hesitate())
AROUND(int, sem_timedwait, (sem_t *semaphore, const struct timespec *until), (semaphore, until), hesitate())

AROUND(int, epoll_wait, (int fd, struct epoll_event *events, int n, int msec), (fd, events, n, msec), hesitate())
AROUND(int, epoll_pwait2,
       (int fd, struct epoll_event *events, int n, const struct timespec *time, const sigset_t *mask),
       (fd, events, n, time, mask), hesitate())
AROUND(int, poll, (struct pollfd *fds, nfds_t n, int msec), (fds, n, msec), hesitate())

AROUND(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), hesitate_at(fd))
AROUND(ssize_t, readv, (int fd, const struct iovec *iov, int n), (fd, iov, n), hesitate_at(fd))
AROUND(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), hesitate_at(fd))
AROUND(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n), hesitate_at(fd))
AROUND(int, eventfd_read, (int fd, eventfd_t *value), (fd, value), hesitate())
AROUND(int, eventfd_write, (int fd, eventfd_t value), (fd, value), hesitate())

AROUND(int, accept4, (int fd, __SOCKADDR_ARG address, socklen_t *size, int flags), (fd, address, size, flags), hesitate())
AROUND(int, connect, (int fd, __CONST_SOCKADDR_ARG address, socklen_t size), (fd, address, size), hesitate())
AROUND(int, shutdown, (int fd, int how), (fd, how), hesitate())
AROUND(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags), hesitate())
AROUND(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), hesitate())
AROUND(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags), hesitate())
AROUND(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), hesitate())
AROUND(ssize_t, sendfile, (int to, int from, off_t *offset, size_t size), (to, from, offset, size), hesitate())

AROUND(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset), hesitate())
AROUND(int, fdatasync, (int fd), (fd), hesitate())
/* clang-format on */

typedef struct Start {
        void *(*function)(void *userdata);
        void *userdata;
} Start;

static void *start_late(void *userdata) {
        Start start = *(Start *) userdata;

        free(userdata);
        hesitate();
        return start.function(start.userdata);
}

FIND(int,
     pthread_create,
     (pthread_t * ret, const pthread_attr_t *attributes, void *(*function)(void *), void *userdata))

__attribute__((visibility("default"))) int pthread_create(
                pthread_t *ret,
                const pthread_attr_t *attributes,
                void *(*function)(void *userdata),
                void *userdata) {
        Start *start = malloc(sizeof(*start));
        int r;

        if (!start)
                return EAGAIN;

        *start = (Start){ .function = function, .userdata = userdata };
        r = real_pthread_create()(ret, attributes, start_late, start);
        if (r != 0)
                free(start);
        hesitate();
        return r;
}
