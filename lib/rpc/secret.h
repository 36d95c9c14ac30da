/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Secret: the cluster's shared secret, and a Signer for each thread that asks. */

#include "base/macro.h"
#include "core/call/signer.h"

typedef struct Secret Secret;

/* Copies DATA. Returns 0, -EINVAL if it is shorter than SECRET_MIN, or another negative errno. */
int secret_new(const void *data, size_t size, Secret **ret);

/* All other threads that used it must have ended. */
Secret *secret_free(Secret *secret);
DEFINE_CLEANUP(Secret *, secret_free);

/* Returns the signer of the calling thread; NULL if there is no memory for it. */
Signer *secret_signer(Secret *secret);
