/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verbs that show volumes and change their settings in the cluster map. See verbs.h for what a verb
 * is. */

int verb_volume_list(int argc, char *argv[], void *userdata);
int verb_volume_show(int argc, char *argv[], void *userdata);
int verb_volume_set(int argc, char *argv[], void *userdata);
int verb_volume_maintenance(int argc, char *argv[], void *userdata);
