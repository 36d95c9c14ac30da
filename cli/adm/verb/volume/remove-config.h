/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that takes a volume off this machine. See verbs.h for what a verb is. */

int verb_volume_remove_config(int argc, char *argv[], void *userdata);
