/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* VolumeFile: the configuration file of a volume of this machine, /etc/dkv/volume@N.conf, and the
 * directory of its data.
 *
 * ROOT stands in front of all paths, as for the image of another machine; NULL for none. All
 * functions return 0 or a negative errno and say what is wrong. */

#include "base/conf.h"

/* What dkvadm knows of the settings; an empty string for one that is left to its default. */
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

/* Reads the file and what belongs to it; a file that is not there has defaults. The caller frees
 * RET in any case. */
int volume_file_load(const char *path, VolumeFile *ret);

/* What a new file says; NULL leaves a setting out. */
typedef struct VolumeFileInput {
        const char *directory, *listen, *master, *zone;
} VolumeFileInput;

/* Writes a file, which must not exist. Fails with -EINVAL if a file cannot carry a value. */
int volume_file_write(const char *path, uint32_t number, const VolumeFileInput *input);

/* Makes the directory for volume NUMBER if it does not exist, and gives it to the user dkv. What
 * belongs to the system or to somebody else is refused, and nothing is changed then; the advice is
 * a directory of its own below it. RET_MADE says whether it is a new one. */
int volume_directory_make(const char *root, uint32_t number, const char *path, bool *ret_made);

/* Removes what was just made: the file at PATH and, if MADE, the directory that
 * volume_directory_make() has made, with what a volume that did not start has left there. */
void volume_file_take_back(const char *root, const char *path, const char *directory, bool made);
