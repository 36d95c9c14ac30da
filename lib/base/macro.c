/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/macro.h"

void closep(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                (void) close(*fd);
        *fd = -1;
        errno = saved;
}
