/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

void scratch_new(char root[static SCRATCH_SIZE]) {
        (void) snprintf(root, SCRATCH_SIZE, "/tmp/dkv-test-XXXXXX");
        assert_non_null(mkdtemp(root));
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *place) {
        return remove(path);
}

void scratch_free(const char *root) {
        assert_ok(nftw(root, on_entry, 16, FTW_DEPTH | FTW_PHYS));
}

const char *scratch_path(const char *root, const char *path) {
        static char full[4096];

        (void) snprintf(full, sizeof(full), "%s/%s", root, path);
        return full;
}

void scratch_write(const char *root, const char *path, const char *text) {
        char parent[4096];

        (void) snprintf(parent, sizeof(parent), "%s", scratch_path(root, path));
        *strrchr(parent, '/') = '\0';
        assert_ok(make_directory(parent, 0755));
        assert_ok(write_file(AT_FDCWD, scratch_path(root, path), text, strlen(text), 0644));
}

char *scratch_read(const char *root, const char *path) {
        char *text;
        size_t size;

        assert_ok(read_file(AT_FDCWD, scratch_path(root, path), 1 << 20, &text, &size));
        return text;
}
