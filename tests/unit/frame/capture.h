/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Capture: what is printed on stdout or stderr, as a string. */

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Capture {
        int fd, saved, file;
} Capture;

static inline void capture_begin(Capture *capture, int fd, FILE *stream) {
        FILE *file = tmpfile();

        assert_non_null(file);
        (void) fflush(stream);
        *capture = (Capture){ .fd = fd, .saved = dup(fd), .file = dup(fileno(file)) };
        (void) fclose(file);
        assert_ok(dup2(capture->file, fd));
}

/* Returns a new string. */
static inline char *capture_end(Capture *capture, FILE *stream) {
        off_t size;
        char *text;

        (void) fflush(stream);
        size = lseek(capture->file, 0, SEEK_END);
        assert_ok(size);
        text = calloc(1, (size_t) size + 1);
        assert_non_null(text);
        assert_int_equal(pread(capture->file, text, (size_t) size, 0), size);
        assert_ok(dup2(capture->saved, capture->fd));
        (void) close(capture->saved);
        (void) close(capture->file);
        return text;
}
