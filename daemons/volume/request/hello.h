/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hello: a master asks who is at this address, and whom the volume follows; if that is another one,
 * the volume reports before the second is over, so that the next answer says who is alive. */

#include "http/request.h"

int hello_begin(HttpRequest *request);
int hello_finish(HttpRequest *request);
