/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Check: tells the master which of given versions this volume has; see core/call/wire.h. */

#include "http/request.h"

int check_finish(HttpRequest *request);
