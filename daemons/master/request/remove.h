/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Remove: DELETE; the record goes at once, the copies become garbage. */

#include "http/request.h"

int remove_finish(HttpRequest *request);
void remove_end(HttpRequest *request);
