/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the master answers over HTTP. */

#include "http/server.h"

extern const HttpRoute master_routes[];
