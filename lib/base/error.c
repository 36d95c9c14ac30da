/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/error.h"

#define BUS_ERROR(name) "org.dkv.Error." name

/* clang-format off */
static const ErrorInfo table[] = {
        { EINVAL,       400, BUS_ERROR("Invalid"),       "The request is malformed.",                                0 },
        { EACCES,       403, BUS_ERROR("Denied"),        "The ticket or signature does not permit this request.",    0 },
        { EKEYREJECTED, 403, BUS_ERROR("NotAuthorized"), "You are not allowed to do this.",                          0 },
        { ENOENT,       404, BUS_ERROR("NotFound"),      "There is no such key.",                                    0 },
        { EPROTO,       405, BUS_ERROR("NotSupported"),  "There is no such operation here.",                         0 },
        { ETIMEDOUT,    408, BUS_ERROR("TimedOut"),      "The request took too long.",                               0 },
        { EEXIST,       409, BUS_ERROR("Exists"),        "The key exists already.",                                  0 },
        { EBUSY,        409, BUS_ERROR("Busy"),          "A conflicting operation is running.",                      0 },
        { EREMCHG,      409, BUS_ERROR("Conflict"),      "The cluster map has changed meanwhile.",                   0 },
        { EDQUOT,       409, BUS_ERROR("TooFewVolumes"), "That needs more active volumes than there would be.",      0 },
        { ECANCELED,    412, BUS_ERROR("Precondition"),  "The condition of the request does not hold.",              0 },
        { EFBIG,        413, BUS_ERROR("TooLarge"),      "The value is larger than the limit.",                      0 },
        { ENAMETOOLONG, 414, BUS_ERROR("KeyTooLong"),    "The key is longer than 1024 bytes.",                       0 },
        { ERANGE,       416, BUS_ERROR("Range"),         "The range lies outside of the value.",                     0 },
        { E2BIG,        431, BUS_ERROR("HeadersTooLarge"), "The header section is larger than the limit.",           0 },
        { EBADMSG,      502, BUS_ERROR("Corrupt"),       "A stored value is damaged.",                               0 },
        { EHOSTDOWN,    503, BUS_ERROR("Unavailable"),   "Too few volumes can be reached.",                          1 },
        { ESTALE,       503, BUS_ERROR("Expired"),       "The write took too long and was given up.",                1 },
        { ESHUTDOWN,    503, BUS_ERROR("ShuttingDown"),  "The daemon is stopping.",                                  1 },
        { EAGAIN,       503, BUS_ERROR("Overloaded"),    "The daemon has too many requests at a time.",              1 },
        { ENOSPC,       507, BUS_ERROR("NoSpace"),       "The volumes are full.",                                    0 },
};
/* clang-format on */

static const ErrorInfo internal = { EIO, 500, BUS_ERROR("Internal"), "Internal error.", 0 };

const ErrorInfo *error_info(int error) {
        if (error < 0)
                error = -error;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].error == error)
                        return table + i;

        return &internal;
}

int error_from_http_status(unsigned status) {
        assert(status >= 400);

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].http_status == status)
                        return table[i].error;

        return EREMOTEIO;
}
