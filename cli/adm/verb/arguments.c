/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb/arguments.h"
#include "base/file.h"
#include "core/placement/cluster.h"
#include "frame/complaint.h"

int parse_volume(const char *argument, uint32_t *ret) {
        uint64_t number;

        if (parse_u64(argument, VOLUME_MAX, &number) < 0 || number == 0)
                return complain_usage(
                                "'%s' is not a volume number, which is from 1 to %u.", argument,
                                (unsigned) VOLUME_MAX);

        *ret = (uint32_t) number;
        return 0;
}

int parse_job(const char *argument, uint32_t *ret) {
        uint64_t id;

        if (parse_u64(argument, UINT32_MAX, &id) < 0 || id == 0)
                return complain_usage("'%s' is not a job number.", argument);

        *ret = (uint32_t) id;
        return 0;
}
