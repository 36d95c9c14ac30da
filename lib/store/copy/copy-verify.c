/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <db.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "store/copy/copy-verify.h"
#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"

#define CACHE_SIZE ((uint32_t) (8 * MIB))

static void on_message(const DB_ENV *db_env, const char *prefix, const char *message) {
        /* Where it lies does not help: the copy is thrown away. */
}

int copy_verify(const char *directory, const char *name) {
        char path[PATH_MAX];
        DB *database;
        int r;

        if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int) sizeof(path))
                return -ENAMETOOLONG;

        db_hooks_install();
        r = db_create(&database, NULL, 0);
        if (r != 0)
                return -r;
        database->set_errcall(database, on_message);
        r = database->set_cachesize(database, 0, CACHE_SIZE, 1);
        if (r != 0) {
                (void) database->close(database, 0);
                return -r;
        }

        db_hooks_tolerate_begin();
        r = database->verify(database, path, NULL, NULL, 0); /* it is closed, too */
        db_hooks_tolerate_end();
        if (r > 0)
                return -r;
        if (r < 0) {
                disk_note_damage("the copy of '%s'", path);
                return -EBADMSG;
        }
        return 0;
}
