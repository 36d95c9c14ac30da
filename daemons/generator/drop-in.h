/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drop-in: what is added to a unit of dkv, as files below the directory OUTPUT. What was there is
 * replaced. Each function returns 0, or a negative errno that it has logged. */

/* The socket listens at LISTEN and nowhere else. */
int drop_in_socket(const char *output, const char *unit, const char *listen);

/* The service needs DIRECTORY in the place of the one that systemd makes for it: an absolute path
 * without quotes and backslashes. */
int drop_in_service(const char *output, const char *unit, const char *directory);

/* The service is started when DIRECTORY, or one of its parents, is mounted: a disk that is not
 * there at boot makes its volume fail, and may be mounted by hand later. */
int drop_in_wants(const char *output, const char *unit, const char *directory);
