/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that tells where the copies of a value are. See verbs.h for what a verb is. */

int verb_locate(int argc, char *argv[], void *userdata);
