/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that shows events from the journal. See verbs.h for what a verb is. */

int verb_events(int argc, char *argv[], void *userdata);
