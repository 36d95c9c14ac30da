/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Context: what the verbs of dkvadm get as their userdata. A verb that needs the bus begins with
 * context_connect(). */

#include "adm/context/connection.h"
#include "adm/context/options.h"
#include "adm/context/output.h"
#include "frame/complaint.h"

typedef struct Context {
        Connection connection;
        Output output;
        Options options;
} Context;

/* Connects to the bus unless it is connected. Returns 0 or a negative errno, having said what is
 * wrong. */
int context_connect(Context *context);
void context_done(Context *context);

/* For verbs that work on files of this machine: refuses -H, -M and --sandbox, and requires root
 * unless --root is given. Returns 0, EXIT_USAGE or -EPERM, having said what is wrong. */
int context_check_local(const Context *context, const char *verb);

/* Says that a call to the daemon has failed, why, and what to do about it. FORMAT is like "Failed
 * to add volume 4", without a full stop. Returns -abs(ERROR). */
int context_complain(
                const Context *context,
                int error,
                const sd_bus_error *bus_error,
                const char *format,
                ...) _printf_(4, 5);
