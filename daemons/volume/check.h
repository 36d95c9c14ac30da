/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Check: tells the master which of given versions this volume has; see core/wire.h. */

#include "net/http-request.h"

int check_finish(HttpRequest *request);
