/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verify: reads whole values on a thread of its own and compares them with their checksum, for
 * requests with "?verify=1". */

#include "base/macro.h"

typedef struct Verify Verify;

/* The work: on the verifier's thread; may block. Belongs to whoever queues it, until run(). */
typedef struct VerifyTask VerifyTask;
struct VerifyTask {
        void (*run)(VerifyTask *task);
        VerifyTask *next; /* private */
};

int verify_new(Verify **ret);

/* Runs what is queued, then ends the thread. */
Verify *verify_free(Verify *verify);
DEFINE_CLEANUP(Verify *, verify_free);

void verify_submit(Verify *verify, VerifyTask *task);
