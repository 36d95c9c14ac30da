/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Included before all else where code is compiled to work on a memory disk. The headers of the
 * system come first, so that what they declare keeps its name. */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/memory-disk.h"

/* clang-format off */
#define openat(dir_fd, ...)                memory_openat(dir_fd, __VA_ARGS__)
#define close(fd)                          memory_close(fd)
#define read(fd, data, size)               memory_read(fd, data, size)
#define pread(fd, data, size, offset)      memory_pread(fd, data, size, offset)
#define write(fd, data, size)              memory_write(fd, data, size)
#define pwrite(fd, data, size, offset)     memory_pwrite(fd, data, size, offset)
#define fsync(fd)                          memory_flush(fd)
#define fdatasync(fd)                      memory_flush(fd)
#define ftruncate(fd, size)                memory_ftruncate(fd, size)
#define fallocate(fd, mode, offset, size)  memory_fallocate(fd, mode, offset, size)
#define fstat(fd, ret)                     memory_fstat(fd, ret)
#define fstatat(dir_fd, path, ret, flags)  memory_fstatat(dir_fd, path, ret, flags)
#define unlinkat(dir_fd, path, flags)      memory_unlinkat(dir_fd, path, flags)
#define renameat(from_fd, from, to_fd, to) memory_renameat2(from_fd, from, to_fd, to, 0)
#define renameat2                          memory_renameat2
#define fdopendir(fd)                      memory_fdopendir(fd)
#define readdir(dir)                       memory_readdir(dir)
#define closedir(dir)                      memory_closedir(dir)
/* clang-format on */
