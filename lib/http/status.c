/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "http/status.h"

/* Of errors with the same status, the first is what that status means when another daemon answers
 * with it. */
/* clang-format off */
static const HttpStatus table[] = {
        { EINVAL,          400, 0 },
        { EACCES,          403, 0 },
        { ETIME,           403, 0 },
        { EKEYREJECTED,    403, 0 },
        { ENOENT,          404, 0 },
        { EPROTO,          405, 0 },
        { EOPNOTSUPP,      501, 0 },
        { ETIMEDOUT,       408, 0 },
        { EEXIST,          409, 0 },
        { EBUSY,           409, 0 },
        { EALREADY,        409, 0 },
        { ENOTUNIQ,        409, 0 },
        { EREMCHG,         409, 0 },
        { EDQUOT,          409, 0 },
        { EKEYREVOKED,     410, 0 },
        { ENOMSG,          411, 0 },
        { ECANCELED,       412, 0 },
        { EFBIG,           413, 0 },
        { ENAMETOOLONG,    414, 0 },
        { ERANGE,          416, 0 },
        { EBADRQC,         417, 0 },
        { EREMOTE,         421, 0 },
        { EDESTADDRREQ,    421, 0 },
        { EINPROGRESS,     425, 1 },
        { E2BIG,           431, 0 },
        { EBADMSG,         502, 0 },
        { EHOSTDOWN,       503, 1 },
        { EOWNERDEAD,      503, 1 },
        { ENOLINK,         503, 1 },
        { ESTALE,          503, 1 },
        { ESHUTDOWN,       503, 1 },
        { EAGAIN,          503, 1 },
        { ECOMM,           503, 1 },
        { EREMOTEIO,       503, 1 },
        { EPROTOTYPE,      505, 0 },
        { ENOSPC,          507, 0 },
};
/* clang-format on */

static const HttpStatus internal = { EIO, 500, 0 };

const HttpStatus *http_status(int error) {
        if (error < 0)
                error = -error;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].error == error)
                        return table + i;

        return &internal;
}

const char *http_status_problem_type(int error) {
        switch (abs(error)) {
        case ECOMM:
                return "outcome-unknown";
        case ENOLINK:
                return "no-leader";
        default:
                return "about:blank";
        }
}

int http_status_to_error(unsigned code) {
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].code == code)
                        return table[i].error;

        return EREMOTEIO;
}

int http_status_to_call_error(unsigned code) {
        int error = http_status_to_error(code);

        switch (error) {
        case ENOENT:
        case EBADMSG:
        case EEXIST:
        case ENOSPC:
                return EHOSTDOWN;
        default:
                return error;
        }
}
