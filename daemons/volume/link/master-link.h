/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way to the master: for readers that come to a volume without a ticket, as the relative links
 * of a page or of a playlist lead them, which was read from there. */

#include "http/request.h"

/* Whether the request brings nothing that could be a ticket or a part of one. */
bool to_master_is_wanted(const HttpRequest *request);

/* Replies 307 to the same key at the master. */
int to_master_redirect(HttpRequest *request);
