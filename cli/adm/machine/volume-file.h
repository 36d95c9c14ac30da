/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumeFile: the configuration file of a volume of this machine, /etc/dkv/volume@N.conf, and its
 * data directory.
 *
 * All paths are below ROOT, for example the image of another machine; NULL means this machine. All
 * functions return 0 or a negative errno and say what is wrong. */

#include "base/conf.h"

/* The settings that dkvadm knows; an empty string means the default. */
typedef struct VolumeFile {
        ConfOrigins origins;
        char *directory;
        char *listen;
        char *master;
        char *zone;
} VolumeFile;

void volume_file_done(VolumeFile *file);

/* Where the file is; a new string. */
int volume_file_path(const char *root, uint32_t number, char **ret);

/* Reads the file and its drop-ins; a file that does not exist has defaults. The caller frees RET in
 * any case. */
int volume_file_load(const char *path, VolumeFile *ret);

/* The settings of a new file; NULL leaves one out. */
typedef struct VolumeFileInput {
        const char *directory, *listen, *master, *zone;
} VolumeFileInput;

/* Writes a file that must not exist. Returns -EINVAL if a file cannot carry a value. */
int volume_file_write(const char *path, uint32_t number, const VolumeFileInput *input);

/* Makes the directory for volume NUMBER if it does not exist, and gives it to the user dkv. A
 * directory of the system or of another user is refused and left unchanged; the advice names a
 * subdirectory. RET_MADE says whether the directory is new. */
int volume_directory_make(const char *root, uint32_t number, const char *path, bool *ret_made);

/* Removes what was just made: the file at PATH and, if MADE, the directory from
 * volume_directory_make() with anything that a volume which failed to start has left there. */
void volume_file_take_back(const char *root, const char *path, const char *directory, bool made);
