/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/view/job-limits.h"
#include "base/conf.h"
#include "frame/complaint.h"

#define PARALLEL_MAX 64

/* As it would be in a configuration file. */
typedef struct Size {
        ConfOrigins origins;
        uint64_t bytes;
} Size;

static int parse_size(const char *text, uint64_t *ret) {
        static const ConfItem items[] = {
                { "", "size", CONF_SIZE, offsetof(Size, bytes), "0", 0, UINT64_MAX, "", false }, {}
        };
        Size size = {};
        int r;

        r = conf_set(items, &size, "size", text, NULL);
        if (r >= 0)
                *ret = size.bytes;
        conf_done(items, &size);
        return r;
}

int job_limits_parse(const char *rate, uint64_t parallel, JobLimits *ret) {
        JobLimits limits = {
                .has_rate = rate,
                .parallel = (uint32_t) MIN(parallel, UINT32_MAX),
        };

        if (rate && (!*rate || parse_size(rate, &limits.rate) < 0))
                return complain_usage(
                                "--rate is a number of bytes per second such as 50M, or 0 for no limit.");
        if (parallel > PARALLEL_MAX)
                return complain_usage("--parallel is a number from 1 to %d.", PARALLEL_MAX);

        *ret = limits;
        return 0;
}

int job_limits_append(const JobLimits *limits, sd_bus_message *call) {
        int r = 0;

        if (limits->has_rate)
                r = sd_bus_message_append(call, "{sv}", "rate", "t", limits->rate);
        if (r >= 0 && limits->parallel > 0)
                r = sd_bus_message_append(call, "{sv}", "parallel", "u", limits->parallel);
        return r;
}
