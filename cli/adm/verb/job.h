/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of jobs. See verbs.h for what a verb is. */

int verb_job_list(int argc, char *argv[], void *userdata);
int verb_job_show(int argc, char *argv[], void *userdata);
int verb_job_watch(int argc, char *argv[], void *userdata);
int verb_job_pause(int argc, char *argv[], void *userdata);
int verb_job_resume(int argc, char *argv[], void *userdata);
int verb_job_cancel(int argc, char *argv[], void *userdata);
int verb_job_set(int argc, char *argv[], void *userdata);
