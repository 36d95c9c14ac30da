/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "complaint.h"
#include "volume-file.h"

#define VALUE_MAX 180 /* a line of the file may be a little longer */

#define AT(field) offsetof(VolumeFile, field)

/* clang-format off */
static const ConfItem items[] = {
        { "Volume", "Directory", CONF_STRING, AT(directory), "", 0, 0, "", false },
        { "Volume", "Listen",    CONF_STRING, AT(listen),    "", 0, 0, "", false },
        { "Volume", "Zone",      CONF_STRING, AT(zone),      "", 0, 0, "", false },
        {}
};
/* clang-format on */

void volume_file_done(VolumeFile *file) {
        conf_done(items, file);
}

int volume_file_path(const char *root, uint32_t number, char **ret) {
        if (asprintf(ret, "%s/etc/dkv/volume@%" PRIu32 ".conf", root ?: "", number) < 0)
                return complain(-ENOMEM, "Failed to name the configuration file: %m");

        return 0;
}

static void ignore(
                int level, const char *file, unsigned line, const char *message, void *userdata) {
        /* The daemon complains of the settings that are not known here. */
}

int volume_file_load(const char *path, VolumeFile *ret) {
        int r;

        *ret = (VolumeFile){};
        r = conf_init(items, ret);
        if (r >= 0)
                r = conf_load(items, path, ret, ignore, NULL);
        if (r < 0)
                return complain(r, "Failed to read '%s': %m", path);

        return 0;
}

/* Whether a value comes back from the file as it was written. */
static bool is_writable(const char *value) {
        size_t size = strlen(value);

        for (const char *p = value; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return false;

        return size == 0 || (size <= VALUE_MAX && value[0] != ' ' && value[size - 1] != ' ' &&
                             !strstr(value, " ;"));
}

static int print_setting(FILE *stream, const char *name, const char *value) {
        if (!value)
                return 0;
        if (!is_writable(value))
                return complain(-EINVAL, "A configuration file cannot carry %s='%s'.", name, value);

        (void) fprintf(stream, "%s=%s\n", name, value);
        return 0;
}

static int format_file(FILE *stream, uint32_t number, const VolumeFileInput *input) {
        int r;

        (void) fprintf(stream,
                       "# Settings of volume %" PRIu32
                       "; \"dkv-volume --print-settings\" lists all.\n"
                       "[Volume]\n",
                       number);
        r = print_setting(stream, "Directory", input->directory);
        if (r >= 0)
                r = print_setting(stream, "Listen", input->listen);
        if (r >= 0)
                r = print_setting(stream, "Master", input->master);
        if (r >= 0)
                r = print_setting(stream, "Zone", input->zone);
        return r;
}

int volume_file_write(const char *path, uint32_t number, const VolumeFileInput *input) {
        _cleanup_free_ char *text = NULL, *parent = strndup(path, strrchr(path, '/') - path);
        FILE *stream;
        size_t size;
        int r;

        stream = open_memstream(&text, &size);
        if (!stream || !parent)
                r = complain(-ENOMEM, "Failed to write '%s': %m", path);
        else
                r = format_file(stream, number, input);
        if (stream && fclose(stream) != 0 && r >= 0)
                r = complain(-errno, "Failed to write '%s': %m", path);
        if (r < 0)
                return r;

        r = make_directory(parent, 0755);
        if (r >= 0)
                r = write_file(AT_FDCWD, path, text, size, 0644);
        return r < 0 ? complain(r, "Failed to write '%s': %m", path) : 0;
}

/* The user that the daemons run as. Returns 0, or -ESRCH if there is none. */
static int find_user(const char *root, uid_t *ret_uid, gid_t *ret_gid) {
        _cleanup_free_ char *path = NULL;
        struct passwd *user;
        FILE *stream = NULL;

        if (root) {
                if (asprintf(&path, "%s/etc/passwd", root) < 0)
                        return -ENOMEM;
                stream = fopen(path, "re");
                if (!stream)
                        return errno == ENOENT ? -ESRCH : -errno;
        }

        do
                user = stream ? fgetpwent(stream) : getpwnam("dkv");
        while (stream && user && strcmp(user->pw_name, "dkv") != 0);
        if (stream)
                (void) fclose(stream);
        if (!user)
                return -ESRCH;

        *ret_uid = user->pw_uid;
        *ret_gid = user->pw_gid;
        return 0;
}

/* As a new file system is. */
static int is_empty(int fd) {
        DIR *directory;
        bool empty = true;
        int copy;

        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        directory = copy < 0 ? NULL : fdopendir(copy);
        if (!directory) {
                closep(&copy);
                return -errno;
        }

        for (struct dirent *entry; (entry = readdir(directory));)
                empty = empty &&
                        (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                         strcmp(entry->d_name, "lost+found") == 0);
        (void) closedir(directory);
        return empty;
}

static int give_to(const char *path, uid_t uid, gid_t gid) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return complain(-errno, "Failed to open '%s': %m", path);
        if (st.st_uid == uid)
                return 0;

        r = is_empty(fd);
        if (r < 0)
                return complain(r, "Failed to read '%s': %m", path);
        if (r == 0) {
                (void) complain(-EPERM, "'%s' is not empty and does not belong to the user dkv.",
                                path);
                advise("If it really is for this volume: chown -R dkv:dkv '%s'", path);
                return -EPERM;
        }

        if (fchown(fd, uid, gid) < 0)
                return complain(-errno, "Failed to give '%s' to the user dkv: %m", path);
        return 0;
}

int volume_directory_make(const char *root, const char *path) {
        _cleanup_free_ char *full = NULL;
        uid_t uid = (uid_t) -1;
        gid_t gid = (gid_t) -1;
        int r;

        if (asprintf(&full, "%s%s", root ?: "", path) < 0) {
                full = NULL;
                return complain(-ENOMEM, "Failed to make '%s': %m", path);
        }

        r = find_user(root, &uid, &gid);
        if (r == -ESRCH) {
                (void) complain(r, "There is no user dkv.");
                advise("It comes with the packages of dkv; to make it now: systemd-sysusers");
                return r;
        }
        if (r < 0)
                return complain(r, "Failed to look up the user dkv: %m");

        r = make_directory(full, 0755);
        if (r < 0)
                return complain(r, "Failed to make '%s': %m", full);
        return give_to(full, uid, gid);
}
