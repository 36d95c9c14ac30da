/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Vote file: the latest term that a member knows, and for whom it has voted in it. It has promised
 * both to others, so the file is replaced as a whole, never torn, and what is wrong in it is
 * damage. In any format it begins with a magic number and the format, and ends with the checksum of
 * all before. */

#include "base/macro.h"

#define VOTE_FILE "vote"

typedef struct Vote {
        uint64_t log_id; /* of the log beside it */
        bool is_new;     /* that log is only being made */
        uint64_t term;
        uint64_t vote; /* 0 for nobody */
} Vote;

/* Returns 0; -ENOENT; -EBADMSG, and disk_last_damage() says what; -EPROTONOSUPPORT for a format of
 * a later release; or another negative errno. */
int vote_file_read(int dir_fd, Vote *ret);

/* Durably. Returns 0, or -ENOSPC, -ENOMEM, -EMFILE or -ENFILE, and then it may be repeated. Another
 * error of the disk ends the process. */
int vote_file_write(int dir_fd, const Vote *vote);
