/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Listing: GET /?prefix=&after=&limit=, the keys in byte order, page by page. */

#include "http/request.h"
#include "store/index/index.h"

#define LISTING_LIMIT     1000
#define LISTING_LIMIT_MAX 10000

int listing_finish(Index *index, HttpRequest *request);
