/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that removes a volume from this machine. See verbs.h for what a verb is. */

int verb_volume_remove_config(int argc, char *argv[], void *userdata);
