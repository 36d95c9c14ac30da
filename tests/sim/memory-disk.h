/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory disk: a directory and its files, in memory. What is written is seen at once, and is on the
 * disk when it was flushed. A loss of power takes of all else what chance takes: nothing, all, or
 * any sectors of each file; and of names, the last so many. The death of a process
 * takes nothing.
 *
 * Code that is compiled with sim/memory-files.h works on such disks: the functions below take the
 * places of those of the system. */

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct MemoryDisk MemoryDisk;
typedef struct World World;

MemoryDisk *memory_disk_new(void);
MemoryDisk *memory_disk_free(MemoryDisk *disk); /* nothing of it is open */

/* A descriptor of the directory; for memory_close(). */
int memory_disk_open(MemoryDisk *disk);

/* From the N-th call on that would change something, counted from 0, none does, and none says so:
 * what is to come of it nobody is there to see. */
void memory_disk_fail(MemoryDisk *disk, uint64_t n);

/* The machine is there again, after a loss of power or the death of the process alone. Nothing is
 * open. */
void memory_disk_lose_power(MemoryDisk *disk, World *world);
void memory_disk_lose_process(MemoryDisk *disk);

int memory_openat(int dir_fd, const char *path, int flags, ...);
int memory_close(int fd);
ssize_t memory_read(int fd, void *data, size_t size);
ssize_t memory_pread(int fd, void *data, size_t size, off_t offset);
ssize_t memory_write(int fd, const void *data, size_t size);
ssize_t memory_pwrite(int fd, const void *data, size_t size, off_t offset);
int memory_flush(int fd);
int memory_ftruncate(int fd, off_t size);
int memory_fallocate(int fd, int mode, off_t offset, off_t size);
int memory_fstat(int fd, struct stat *ret);
int memory_fstatat(int dir_fd, const char *path, struct stat *ret, int flags);
int memory_unlinkat(int dir_fd, const char *path, int flags);
int memory_renameat2(
                int old_fd, const char *old_path, int new_fd, const char *new_path, unsigned flags);
DIR *memory_fdopendir(int fd);
struct dirent *memory_readdir(DIR *dir);
int memory_closedir(DIR *dir);
