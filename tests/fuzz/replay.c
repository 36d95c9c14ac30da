/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs a fuzz target on what was found before: each file of the directories that are given, and
 * each beginning of each file. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX (64 * KIB)

static void run(const char *data, size_t size) {
        uint8_t *copy = malloc(1 + size);

        assert(copy);
        memcpy(copy + 1, data, size); /* up to the end of the block */
        (void) LLVMFuzzerTestOneInput(copy + 1, size);
        free(copy);
}

static int replay_file(int dir_fd, const char *name) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = read_file(dir_fd, name, INPUT_MAX, &data, &size);
        if (r < 0)
                return r;

        for (size_t i = 0; i <= size; i++)
                run(data, i);
        return 0;
}

/* Returns how many inputs there were. */
static int replay_directory(const char *path) {
        DIR *dir = opendir(path);
        int n = 0, r = 0;

        if (!dir)
                return -1;

        for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
                if (entry->d_name[0] == '.')
                        continue;
                r = replay_file(dirfd(dir), entry->d_name);
                n++;
        }

        (void) closedir(dir);
        return r < 0 ? r : n;
}

int main(int argc, char *argv[]) {
        for (int i = 1; i < argc; i++) {
                int n = replay_directory(argv[i]);

                if (n <= 0) {
                        (void) fprintf(stderr, "Failed to replay '%s', or nothing there.\n",
                                       argv[i]);
                        return EXIT_FAILURE;
                }
                (void) printf("%s: %i inputs\n", argv[i], n);
        }

        return EXIT_SUCCESS;
}
