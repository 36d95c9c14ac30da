/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Preloaded into a server, counts its flushes: in the file that is called after its process in the
 * directory $BENCH_FLUSHES, a number of eight bytes. What is built without libc's functions for
 * them is not seen. */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_ullong nowhere, *count = &nowhere;

static void __attribute__((constructor)) begin(void) {
        const char *directory = getenv("BENCH_FLUSHES");
        char path[4096];
        void *page;
        int fd;

        if (!directory)
                return;
        (void) snprintf(path, sizeof(path), "%s/%i", directory, (int) getpid());
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return;
        if (ftruncate(fd, sizeof(*count)) == 0) {
                page = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                if (page != MAP_FAILED)
                        count = page;
        }
        (void) close(fd);
}

static int flush(const char *name, int fd) {
        int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);

        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
        return real(fd);
}

int fdatasync(int fd) {
        return flush("fdatasync", fd);
}

int fsync(int fd) {
        return flush("fsync", fd);
}
