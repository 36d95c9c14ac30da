/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Order: a call of the master to a volume. It names the store and the run that the master has heard
 * of in this term, so nobody else carries it out. */

#include "base/buffer.h"
#include "master/cluster/volumes.h"
#include "rpc/client.h"

/* Makes a call of CLIENT: POST PATH with BODY, which is taken over; not started. Returns 0,
 * -ENOENT, -EHOSTDOWN if the volume is down, -EINPROGRESS if it has not reported in this term yet.
 */
int order_new(HttpClient *client,
              Volumes *volumes,
              uint32_t volume,
              const char *path,
              Buffer *body,
              HttpCall **ret);

/* What the answer says: 0 for 200, or a negative errno. -EINPROGRESS if the volume has to report
 * first, which it is about to do: the order may be given again in a moment. */
int order_result(const HttpResult *result);
