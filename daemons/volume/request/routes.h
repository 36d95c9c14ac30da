/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a volume answers over HTTP: values to clients with a ticket, batches to the master, its
 * health to everybody. */

#include "http/server.h"

extern const HttpRoute volume_routes[];
