/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Health: tells everybody how the cluster is, what is wrong, and what each volume reported last. */

#include "http/request.h"

/* For the route table. */
int health_finish(HttpRequest *request);
