/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The cluster's secret, as the credential that systemd passes to the daemons. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/secret.h"
#include "base/file.h"

#define CREDENTIAL_DIRECTORY "/etc/credstore"
#define SECRET_BYTES         32
#define SECRET_TEXT_SIZE     (SECRET_BYTES / 3 * 4 + 4 + 1) /* base64 and a newline */
#define SECRET_FILE_MAX      (64 * KIB)

static_assert(SECRET_BYTES % 3 == 2, "encode() ends with one '='");

static void encode(const uint8_t secret[static SECRET_BYTES], char ret[static SECRET_TEXT_SIZE]) {
        static const char digits[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *p = ret;

        for (size_t i = 0; i < SECRET_BYTES; i += 3) {
                uint32_t bits = (uint32_t) secret[i] << 16 | (uint32_t) secret[i + 1] << 8;

                if (i + 2 < SECRET_BYTES)
                        bits |= secret[i + 2];
                for (int shift = 18; shift >= 0; shift -= 6)
                        *p++ = digits[bits >> shift & 63];
        }

        p[-1] = '=';
        *p = '\n';
}

static int make_secret(char ret[static SECRET_TEXT_SIZE]) {
        uint8_t secret[SECRET_BYTES];

        if (getrandom(secret, sizeof(secret), 0) != (ssize_t) sizeof(secret))
                return -EIO; /* so few bytes always come whole */

        encode(secret, ret);
        explicit_bzero(secret, sizeof(secret));
        return 0;
}

/* Writes a file that must not exist. Returns 0, -EEXIST or another negative errno. */
static int write_exclusively(const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;

        r = write_all(fd, data, size);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(path);
        return r;
}

static int write_secret(const Context *context, const char *directory, const char *path) {
        _cleanup_free_ char *parent = strndup(directory, strrchr(directory, '/') - directory);
        char text[SECRET_TEXT_SIZE];
        int r;

        if (!parent)
                return -ENOMEM;
        r = make_directory(parent, 0755);
        if (r < 0)
                return r;
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return -errno;
        r = make_secret(text);
        if (r < 0)
                return r;

        if (context->options.force)
                r = write_file(AT_FDCWD, path, text, sizeof(text), 0600);
        else
                r = write_exclusively(path, text, sizeof(text));
        explicit_bzero(text, sizeof(text));
        return r;
}

/* Finds the paths of the secret and of its directory. Both must be freed even after a failure, when
 * they may be NULL. */
static int find_paths(const Context *context, char **ret_directory, char **ret_path) {
        const char *root = context->options.root ?: "";

        if (asprintf(ret_directory, "%s" CREDENTIAL_DIRECTORY, root) < 0) {
                *ret_directory = NULL;
                return complain(-ENOMEM, "Failed to name the file: %m");
        }
        if (asprintf(ret_path, "%s" CREDENTIAL_DIRECTORY "/dkv.secret", root) < 0) {
                *ret_path = NULL;
                return complain(-ENOMEM, "Failed to name the file: %m");
        }

        return 0;
}

static void say_what_next(const Context *context, const char *path) {
        output_say(&context->output, "Created a new secret in '%s'.\n", path);
        output_say(&context->output, "Daemons on this machine read it when they start:");
        output_say(&context->output, "  systemctl try-restart dkv-master 'dkv-volume@*'");
        output_say(&context->output,
                   "All machines of the cluster need the same secret; to copy it to HOST:");
        output_say(&context->output,
                   "  dkvadm secret show | ssh root@HOST 'umask 077; mkdir -p " CREDENTIAL_DIRECTORY
                   "; cat >" CREDENTIAL_DIRECTORY "/dkv.secret'");
}

int verb_secret_create(int argc, char *argv[], void *userdata) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        Context *context = userdata;
        int r;

        r = context_check_local(context, "secret create");
        if (r != 0)
                return r;
        r = find_paths(context, &directory, &path);
        if (r < 0)
                return r;

        r = write_secret(context, directory, path);
        if (r == -EEXIST) {
                (void) complain(r, "There already is a secret in '%s'.", path);
                advise("All machines of the cluster need the same secret. To replace it: dkvadm secret create --force");
                return r;
        }
        if (r < 0)
                return complain(r, "Failed to write '%s': %m", path);

        say_what_next(context, path);
        return 0;
}

int verb_secret_show(int argc, char *argv[], void *userdata) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        Context *context = userdata;
        char *secret;
        size_t size;
        int r;

        r = context_check_local(context, "secret show");
        if (r != 0)
                return r;
        r = find_paths(context, &directory, &path);
        if (r < 0)
                return r;

        r = read_file(AT_FDCWD, path, SECRET_FILE_MAX, &secret, &size);
        if (r == -ENOENT) {
                (void) complain(r, "There is no secret: '%s' does not exist.", path);
                advise("To create one for a new cluster: dkvadm secret create");
                return r;
        }
        if (r < 0)
                return complain(r, "Failed to read '%s': %m", path);

        /* Exactly as it is: the daemons use every byte. No buffer of stdout keeps it. */
        r = write_all(STDOUT_FILENO, secret, size);
        if (r < 0)
                (void) complain(r, "Failed to print: %m");
        explicit_bzero(secret, size);
        free(secret);
        return r;
}
