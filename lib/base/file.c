/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

int write_all(int fd, const void *data, size_t size) {
        const uint8_t *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                size -= (size_t) n;
        }

        return 0;
}

int pwrite_all(int fd, const void *data, size_t size, uint64_t offset) {
        const uint8_t *p = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, (off_t) offset);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }

        return 0;
}

ssize_t pread_all(int fd, void *data, size_t size, uint64_t offset) {
        size_t done = 0;

        assert(size <= SSIZE_MAX);

        while (done < size) {
                ssize_t n = pread(
                                fd, (uint8_t *) data + done, size - done, (off_t) (offset + done));

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                done += (size_t) n;
        }

        return (ssize_t) done;
}

/* Unlike pread_all(), this also reads what cannot seek: pipes, /proc. */
static ssize_t read_all(int fd, void *data, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = read(fd, (uint8_t *) data + done, size - done);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                done += (size_t) n;
        }

        return (ssize_t) done;
}

int read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *data = NULL;
        size_t size = 0, room = MIN(max, (size_t) (4 * KIB));
        ssize_t n;

        assert(path);
        assert(max < SSIZE_MAX);
        assert(ret);

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;

        for (;; room = MIN(room * 2, max)) {
                char *larger = realloc(data, room + 1);

                if (!larger)
                        return -ENOMEM;
                data = larger;

                /* Asks for one byte more than fits, to see whether there is more. */
                n = read_all(fd, data + size, room + 1 - size);
                if (n < 0)
                        return (int) n;
                size += (size_t) n;
                if (size <= room)
                        break;
                if (room == max)
                        return -EFBIG;
        }

        data[size] = '\0';
        if (ret_size)
                *ret_size = size;
        *ret = TAKE_PTR(data);
        return 0;
}

/* Opens the directory that PATH lies in. */
static int open_parent(int dir_fd, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = NULL;
        int fd;

        if (slash) {
                parent = strndup(path, MAX((size_t) (slash - path), (size_t) 1));
                if (!parent)
                        return -ENOMEM;
        }

        fd = openat(dir_fd, parent ?: ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int write_new(int dir_fd, const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_close_ int fd = -1;
        int r;

        /* A file that a crash has left may have another mode. */
        if (unlinkat(dir_fd, path, 0) < 0 && errno != ENOENT)
                return -errno;

        fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0)
                return -errno;

        r = write_all(fd, data, size);
        if (r < 0)
                return r;

        return fdatasync(fd) < 0 ? -errno : 0;
}

int write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_close_ int parent_fd = -1;
        _cleanup_free_ char *new_path = NULL;
        int r;

        assert(path);

        parent_fd = open_parent(dir_fd, path);
        if (parent_fd < 0)
                return parent_fd;

        if (asprintf(&new_path, "%s.new", path) < 0)
                return -ENOMEM;

        r = write_new(dir_fd, new_path, data, size, mode);
        if (r >= 0 && renameat(dir_fd, new_path, dir_fd, path) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dir_fd, new_path, 0);
                return r;
        }

        return fsync(parent_fd) < 0 ? -errno : 0;
}

int make_directory(const char *path, mode_t mode) {
        _cleanup_free_ char *part = NULL;
        struct stat st;

        assert(path);

        part = strdup(path);
        if (!part)
                return -ENOMEM;

        for (char *p = part; *p != '\0';) {
                char saved;

                p += strspn(p, "/");
                p += strcspn(p, "/");
                saved = *p;
                *p = '\0';
                if (mkdir(part, mode) < 0 && errno != EEXIST)
                        return -errno;
                *p = saved;
        }

        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int parse_u64(const char *string, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        assert(string);
        assert(ret);

        if (*string == '\0' || string[strspn(string, "0123456789")] != '\0')
                return -EINVAL;

        for (; *string != '\0'; string++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*string - '0'), &value))
                        return -ERANGE;

        if (value > max)
                return -ERANGE;

        *ret = value;
        return 0;
}

size_t format_u64(uint64_t value, char ret[static DECIMAL_SIZE(uint64_t)]) {
        char reversed[DECIMAL_SIZE(uint64_t)];
        size_t n = 0;

        do {
                reversed[n++] = (char) ('0' + value % 10);
                value /= 10;
        } while (value > 0);

        for (size_t i = 0; i < n; i++)
                ret[i] = reversed[n - 1 - i];
        ret[n] = '\0';
        return n;
}

void format_hex(const void *data, size_t size, char *ret_string) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;

        for (size_t i = 0; i < size; i++) {
                ret_string[2 * i] = digits[p[i] >> 4];
                ret_string[2 * i + 1] = digits[p[i] & 0x0f];
        }
}

/* Returns the value of a lower case hex digit, or -1. */
static int hex_value(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_hex(const char *string, size_t string_size, void *ret_data, size_t size) {
        uint8_t *p = ret_data;

        if (string_size != 2 * size)
                return -EINVAL;

        for (size_t i = 0; i < string_size; i++)
                if (hex_value(string[i]) < 0)
                        return -EINVAL;

        for (size_t i = 0; i < size; i++)
                p[i] = (uint8_t) (hex_value(string[2 * i]) * 16 + hex_value(string[2 * i + 1]));

        return 0;
}
