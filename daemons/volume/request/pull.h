/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pull: gets copies from other volumes and stores them, as the master asks; see core/call/wire.h.
 *
 * Values pass through as they come, those that this volume keeps in files without ever being in
 * memory, and are compared with their checksums before they count. */

#include "http/request.h"

int pull_finish(HttpRequest *request);
