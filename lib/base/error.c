/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define BUS_ERROR(name) "org.dkv.Error." name

/* A title is true wherever the error comes from: a detail says whose space, name or daemon it is
 * about. */
/* clang-format off */
static const ErrorInfo table[] = {
        { EINVAL,          BUS_ERROR("Invalid"),         "The request is malformed."                             },
        { EACCES,          BUS_ERROR("Denied"),          "The ticket or signature does not permit this request." },
        { ETIME,           BUS_ERROR("ClockWrong"),      "The signature has expired: a clock is wrong."          },
        { EKEYREJECTED,    BUS_ERROR("NotAuthorized"),   "You are not allowed to do this."                       },
        { ENOENT,          BUS_ERROR("NotFound"),        "There is nothing of this name."                        },
        { EPROTO,          BUS_ERROR("NotSupported"),    "This is not supported here."                           },
        { EOPNOTSUPP,      BUS_ERROR("NotImplemented"),  "There is no such method."                              },
        { ETIMEDOUT,       BUS_ERROR("TimedOut"),        "The request took too long."                            },
        { EEXIST,          BUS_ERROR("Exists"),          "It exists already."                                    },
        { EBUSY,           BUS_ERROR("Busy"),            "A conflicting operation is running."                   },
        { EALREADY,        BUS_ERROR("Repeated"),        "This very call was made before."                       },
        { ENOTUNIQ,        BUS_ERROR("TwoRuns"),         "Another daemon serves the same store."                 },
        { EREMCHG,         BUS_ERROR("Conflict"),        "The cluster map has changed meanwhile."                },
        { EDQUOT,          BUS_ERROR("TooFewVolumes"),   "That needs more active volumes than there would be."   },
        { EKEYREVOKED,     BUS_ERROR("Deposed"),         "Another master leads this cluster."                    },
        { ENOMSG,          BUS_ERROR("LengthRequired"),  "The request does not say how long its body is."        },
        { ECANCELED,       BUS_ERROR("Precondition"),    "The condition of the request does not hold."           },
        { EFBIG,           BUS_ERROR("TooLarge"),        "The body is larger than the limit."                    },
        { ENAMETOOLONG,    BUS_ERROR("KeyTooLong"),      "The key or the request line is too long."              },
        { ERANGE,          BUS_ERROR("Range"),           "The range lies outside of the value."                  },
        { EBADRQC,         BUS_ERROR("Expectation"),     "What the request expects cannot be had."               },
        { EREMOTE,         BUS_ERROR("Misdirected"),     "The request is meant for somebody else."               },
        { EINPROGRESS,     BUS_ERROR("NotYet"),          "It is not known yet who is who; ask again."            },
        { E2BIG,           BUS_ERROR("HeadersTooLarge"), "The header section is larger than the limit."          },
        { EDESTADDRREQ,    BUS_ERROR("Elsewhere"),       "Another master leads the cluster."                     },
        { EBADMSG,         BUS_ERROR("Corrupt"),         "What is stored is damaged."                            },
        { EHOSTDOWN,       BUS_ERROR("Unavailable"),     "Not enough of the cluster can be reached."             },
        { EOWNERDEAD,      BUS_ERROR("NotLeading"),      "This master does not lead."                            },
        { ENOLINK,         BUS_ERROR("NoLeader"),        "No master leads the cluster at the moment."            },
        { ESTALE,          BUS_ERROR("Expired"),         "The write took too long and was given up."             },
        { ESHUTDOWN,       BUS_ERROR("ShuttingDown"),    "The daemon is stopping."                               },
        { EAGAIN,          BUS_ERROR("Overloaded"),      "The daemon has too many requests at a time."           },
        { ECOMM,           BUS_ERROR("OutcomeUnknown"),  "It is not known whether this was done."                },
        { EREMOTEIO,       BUS_ERROR("StoreFailed"),     "A volume cannot store values at the moment."           },
        { EPROTOTYPE,      BUS_ERROR("HttpVersion"),     "This version of HTTP is not spoken here."              },
        { ENOSPC,          BUS_ERROR("NoSpace"),         "There is not enough space left."                       },
};
/* clang-format on */

static const ErrorInfo internal = { EIO, BUS_ERROR("Internal"), "Internal error." };

const ErrorInfo *error_info(int error) {
        if (error < 0)
                error = -error;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].error == error)
                        return table + i;

        return &internal;
}

/* clang-format off */
static const struct {
        int error;
        const char *cause, *advice;
} reasons[] = {
        { EACCES,        "permission is denied",                    "check owner and mode of the path and of its parent directories" },
        { EPERM,         "permission is denied",                    "check owner and mode of the path and of its parent directories" },
        { ENOENT,        "it is not there",                         "is its disk mounted?" },
        { ENOTDIR,       "part of the path is not a directory",     "is its disk mounted?" },
        { EISDIR,        "it is a directory",                       "a file is expected there" },
        { EEXIST,        "it already exists",                       "move it away if it is not needed" },
        { EROFS,         "its file system is read-only",            "journalctl -k may say why" },
        { ENOSPC,        "there is no space left",                  "free some" },
        { EDQUOT,        "the quota is used up",                    "free some space or raise the quota" },
        { EIO,           "the disk failed",                         "see journalctl -k and smartctl(8)" },
        { EUCLEAN,       "the file system is damaged",              "see journalctl -k; it must be repaired first" },
        { EBADMSG,       "it is damaged",                           "see A DAMAGED LOG in dkv-operations(7)" },
        { EINVAL,        "this version does not understand it",     "was it written by another one?" },
        { EPROTO,        "it belongs to another version of dkv",    "install the same version everywhere" },
        { ENOMEM,        "there is not enough memory",              "free some, or raise MemoryMax= of the unit" },
        { EMFILE,        "too many files are open",                 "raise LimitNOFILE= of the unit" },
        { ENFILE,        "too many files are open on this machine", "raise fs.file-max, see sysctl(8)" },
        { EBUSY,         "something else is using it",              "does the daemon run twice?" },
        { EADDRINUSE,    "another program listens there",           "ss -tlnp shows which one" },
        { EADDRNOTAVAIL, "this machine does not have that address", "ip address lists those it has" },
        { ECONNREFUSED,  "nobody listens there",                    "is the daemon running?" },
        { EHOSTDOWN,     "it cannot be reached",                    "see dkvadm status" },
        { EHOSTUNREACH,  "there is no route to it",                 "check cables, routes and firewalls" },
        { ENETUNREACH,   "there is no route to it",                 "check cables, routes and firewalls" },
        { ETIMEDOUT,     "there was no answer in time",             "is the machine up, and does a firewall let the traffic through?" },
        { EAGAIN,        "it is overloaded at the moment",          "try again later" },
        { ESHUTDOWN,     "it is shutting down",                     "nothing needs to be done" },
};
/* clang-format on */

void error_format_reason(int error, char ret[static ERROR_REASON_SIZE]) {
        const char *cause = "something unexpected happened",
                   *advice = "earlier messages may say more";
        const char *end = ".";

        if (error < 0)
                error = -error;

        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (reasons[i].error == error) {
                        cause = reasons[i].cause;
                        advice = reasons[i].advice;
                }
        if (advice[strlen(advice) - 1] == '?')
                end = "";
        errno = error;
        (void) snprintf(ret, ERROR_REASON_SIZE, "%s (%m); %s%s", cause, advice, end);
}

/* clang-format off */
static const struct {
        int error;
        StoreFault fault;
} store_faults[] = {
        { ENOSPC,       STORE_FAULT_FULL       },
        { EDQUOT,       STORE_FAULT_FULL       },
        { EFBIG,        STORE_FAULT_FULL       }, /* the file system's limit, or the user's */

        { EROFS,        STORE_FAULT_READ_ONLY  },

        { EACCES,       STORE_FAULT_DENIED     },
        { EPERM,        STORE_FAULT_DENIED     },
        { ETXTBSY,      STORE_FAULT_DENIED     },

        { ENOENT,       STORE_FAULT_MISSING    },
        { ENOTDIR,      STORE_FAULT_MISSING    },
        { ELOOP,        STORE_FAULT_MISSING    },
        { ESTALE,       STORE_FAULT_MISSING    }, /* a file system on the network */
        { ENODEV,       STORE_FAULT_MISSING    },
        { ENXIO,        STORE_FAULT_MISSING    },
        { ENOMEDIUM,    STORE_FAULT_MISSING    },

        { EIO,          STORE_FAULT_FAILED     },
        { EUCLEAN,      STORE_FAULT_FAILED     }, /* the file system is damaged */
        { ETIMEDOUT,    STORE_FAULT_FAILED     },
        { ENOLINK,      STORE_FAULT_FAILED     },
        { ENODATA,      STORE_FAULT_FAILED     }, /* a bad sector, to some drivers */
        { EILSEQ,       STORE_FAULT_FAILED     },
        { ENOTCONN,     STORE_FAULT_FAILED     }, /* a file system in user space is gone */
        { ECONNABORTED, STORE_FAULT_FAILED     },
        { EOPNOTSUPP,   STORE_FAULT_FAILED     },
        { ENOSYS,       STORE_FAULT_FAILED     },

        { EMFILE,       STORE_FAULT_OVERLOADED },
        { ENFILE,       STORE_FAULT_OVERLOADED },
        { ENOMEM,       STORE_FAULT_OVERLOADED },
        { ENOBUFS,      STORE_FAULT_OVERLOADED },
        { EMLINK,       STORE_FAULT_OVERLOADED },
};

static const struct {
        const char *name;
        int error;
} store_fault_table[_STORE_FAULT_MAX] = {
        [STORE_FAULT_NONE]       = { "none",       0         },
        [STORE_FAULT_OVERLOADED] = { "overloaded", EAGAIN    },
        [STORE_FAULT_FULL]       = { "full",       ENOSPC    },
        [STORE_FAULT_DENIED]     = { "denied",     EREMOTEIO },
        [STORE_FAULT_MISSING]    = { "missing",    EREMOTEIO },
        [STORE_FAULT_READ_ONLY]  = { "read-only",  EREMOTEIO },
        [STORE_FAULT_FAILED]     = { "failed",     EREMOTEIO },
};
/* clang-format on */

StoreFault error_store_fault(int error) {
        if (error < 0)
                error = -error;

        for (size_t i = 0; i < ELEMENTSOF(store_faults); i++)
                if (store_faults[i].error == error)
                        return store_faults[i].fault;

        return STORE_FAULT_NONE;
}

const char *store_fault_to_string(StoreFault fault) {
        assert(fault >= 0 && fault < _STORE_FAULT_MAX);

        return store_fault_table[fault].name;
}

StoreFault store_fault_from_string(const char *name) {
        for (StoreFault fault = 0; fault < _STORE_FAULT_MAX; fault++)
                if (strcmp(store_fault_table[fault].name, name) == 0)
                        return fault;

        return STORE_FAULT_NONE;
}

int store_fault_to_error(StoreFault fault) {
        assert(fault >= 0 && fault < _STORE_FAULT_MAX);

        return -store_fault_table[fault].error;
}
