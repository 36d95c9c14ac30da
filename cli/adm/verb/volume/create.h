/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that sets up a volume on this machine. See verbs.h for what a verb is. */

int verb_volume_create(int argc, char *argv[], void *userdata);
