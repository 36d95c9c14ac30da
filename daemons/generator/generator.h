/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Generator: tells systemd what dkv's units cannot know by themselves: on which port each socket
 * listens, which directory elsewhere a service needs, and that a disk which is mounted late starts
 * its volume.
 *
 * It reads the settings as the daemons do. Of a file with errors it takes nothing: the daemon then
 * starts with the socket of the defaults, and says itself what is wrong. */

typedef struct GeneratorOptions {
        const char *config;   /* the directory of the settings */
        const char *units[2]; /* the directories of links to what is enabled; NULL for none */
        const char *output;   /* the directory of what is generated */
} GeneratorOptions;

/* Looks which units there are, and writes what they need. Returns 0, or a negative errno that it
 * has logged. */
int generator_run(const GeneratorOptions *options);
