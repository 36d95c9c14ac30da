/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adm/machine/volume-file.h"
#include "base/file.h"
#include "frame/complaint.h"

#define VALUE_MAX 180 /* below the longest line that the parser takes */

#define AT(field) offsetof(VolumeFile, field)

/* clang-format off */
static const ConfItem items[] = {
        { "Volume", "Directory", CONF_STRING, AT(directory), "", 0, 0, "", false },
        { "Volume", "Listen",    CONF_STRING, AT(listen),    "", 0, 0, "", false },
        { "Volume", "Master",    CONF_STRING, AT(master),    "", 0, 0, "", false },
        { "Volume", "Zone",      CONF_STRING, AT(zone),      "", 0, 0, "", false },
        {}
};
/* clang-format on */

void volume_file_done(VolumeFile *file) {
        conf_done(items, file);
}

int volume_file_path(const char *root, uint32_t number, char **ret) {
        if (asprintf(ret, "%s/etc/dkv/volume@%" PRIu32 ".conf", root ?: "", number) < 0)
                return complain(-ENOMEM, "Failed to find the configuration file: %m");

        return 0;
}

static void ignore(
                int level, const char *file, unsigned line, const char *message, void *userdata) {
        /* The daemon complains about settings that are unknown here. */
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

/* Whether the parser would read the value as it was written. */
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
                return complain(-EINVAL, "A configuration file cannot contain %s='%s'.", name,
                                value);

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

/* Whether nothing is in it but what a new file system has. */
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

/* Directories that belong to the system. An empty file system mounted there may still be ours. */
static bool is_of_the_system(const char *path) {
        static const char *const taken[] = {
                "/",          "/bin",  "/boot",    "/dev",     "/etc",
                "/home",      "/lib",  "/lib64",   "/media",   "/mnt",
                "/opt",       "/proc", "/root",    "/run",     "/sbin",
                "/srv",       "/sys",  "/tmp",     "/usr",     "/usr/lib",
                "/usr/local", "/var",  "/var/lib", "/var/tmp", "/var/lib/dkv",
                "/etc/dkv",
        };

        for (size_t i = 0; i < ELEMENTSOF(taken); i++)
                if (strcmp(path, taken[i]) == 0)
                        return true;
        return false;
}

/* Whether the directory is on another file system than its parent. */
static bool is_mount_point(int fd, const struct stat *st) {
        struct stat parent;

        return fstatat(fd, "..", &parent, 0) >= 0 && parent.st_dev != st->st_dev;
}

static int refuse(const char *path, const char *why, uint32_t number) {
        (void) complain(-EPERM, "'%s' %s.", path, why);
        advise("Give the volume a directory of its own: --directory=%s%sdkv-volume-%" PRIu32, path,
               strcmp(path, "/") == 0 ? "" : "/", number);
        return -EPERM;
}

/* NAME is the path on the machine, without --root. */
static int give_to(int fd, const char *name, uint32_t number, uid_t uid, gid_t gid) {
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return complain(-errno, "Failed to access '%s': %m", name);
        r = is_empty(fd);
        if (r < 0)
                return complain(r, "Failed to read '%s': %m", name);

        if ((st.st_mode & S_IWOTH) ||
            (is_of_the_system(name) && !(r > 0 && is_mount_point(fd, &st))))
                return refuse(name, "is a directory of the system", number);
        if (st.st_uid == uid)
                return 0;
        if (r == 0 && faccessat(fd, "objects.db", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                (void) complain(-EPERM,
                                "'%s' holds the values of a volume but is not owned by user dkv.",
                                name);
                advise("If they are the values of volume %" PRIu32
                       ", moved here: chown -R dkv:dkv '%s'",
                       number, name);
                return -EPERM;
        }
        if (r == 0)
                return refuse(name, "is not empty and not owned by user dkv", number);

        if (fchown(fd, uid, gid) < 0)
                return complain(-errno, "Failed to make user dkv the owner of '%s': %m", name);
        return 0;
}

/* Whether the contents are gone after a boot, or hidden from the daemon by its sandbox. */
static bool is_short_lived(const char *path) {
        static const char *const roots[] = { "/dev/", "/proc/", "/run/",
                                             "/sys/", "/tmp/",  "/var/tmp/" };

        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                if (strncmp(path, roots[i], strlen(roots[i])) == 0)
                        return true;
        return false;
}

/* Resolves links and dots in PATH, below ROOT. A path that does not exist yet stays as it is. */
static char *find_out(const char *full, const char *root, const char *path) {
        _cleanup_free_ char *real = realpath(full, NULL),
                            *real_root = root ? realpath(root, NULL) : NULL;
        size_t n = real_root ? strlen(real_root) : 0;

        if (!real || (real_root && strncmp(real, real_root, n) != 0))
                return strdup(path);
        return strdup(real[n] ? real + n : "/");
}

static int make_and_give(
                const char *full,
                const char *name,
                uint32_t number,
                uid_t uid,
                gid_t gid,
                bool *ret_made) {
        _cleanup_close_ int fd = -1;
        bool made = access(full, F_OK) < 0;
        int r;

        if (is_short_lived(name)) {
                (void) complain(-EPERM, "Data in '%s' does not survive a reboot.", name);
                advise("Give the volume a directory on a disk, such as --directory=/srv/dkv-volume-%" PRIu32,
                       number);
                return -EPERM;
        }

        r = make_directory(full, 0755);
        if (r < 0)
                return complain(r, "Failed to create '%s': %m", full);
        fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return complain(-errno, "Failed to open '%s': %m", full);

        r = give_to(fd, name, number, uid, gid);
        if (r < 0)
                return r;
        *ret_made = made;
        return 0;
}

int volume_directory_make(const char *root, uint32_t number, const char *path, bool *ret_made) {
        _cleanup_free_ char *full = NULL, *name = NULL;
        uid_t uid = (uid_t) -1;
        gid_t gid = (gid_t) -1;
        int r;

        if (asprintf(&full, "%s%s", root ?: "", path) < 0) {
                full = NULL;
                return complain(-ENOMEM, "Failed to create '%s': %m", path);
        }

        name = find_out(full, root, path);
        if (!name)
                return complain(-ENOMEM, "Failed to create '%s': %m", path);

        r = find_user(root, &uid, &gid);
        if (r == -ESRCH) {
                (void) complain(r, "User dkv does not exist.");
                advise("The packages of dkv create it; to create it now: systemd-sysusers");
                return r;
        }
        if (r < 0)
                return complain(r, "Failed to look up user dkv: %m");

        return make_and_give(full, name, number, uid, gid, ret_made);
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *place) {
        return remove(path) < 0 ? -errno : 0;
}

void volume_file_take_back(const char *root, const char *path, const char *directory, bool made) {
        _cleanup_free_ char *full = NULL;

        (void) unlink(path);
        if (!made || !directory)
                return;

        if (asprintf(&full, "%s%s", root ?: "", directory) < 0)
                full = NULL;
        else
                (void) nftw(full, on_entry, 16, FTW_DEPTH | FTW_PHYS);
}
