/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bench/bench.h"
#include "frame/complaint.h"

int bench_set_url(Bench *bench, const char *url) {
        const Authority *authority;
        int r;

        r = authorities_get(&bench->authorities, url, &authority, &bench->path);
        if (r == -EINVAL)
                return complain(r, "The URL '%s' is not of the form http://HOST[:PORT].", url);
        if (r == -EHOSTUNREACH)
                return complain(r, "The URL '%s' names no host that is known here.", url);
        if (r < 0)
                return complain(r, "Cannot use the URL '%s': %m", url);

        if (!bench->options.raw && strlen(bench->path) > 1)
                return complain(-EINVAL, "The URL '%s' must have no path.", url);
        if (strlen(bench->path) >= KEY_PATH_SIZE)
                return complain(-EINVAL, "The URL is too long.");

        bench->url = url;
        return 0;
}

Run bench_make_run(Bench *bench, Load *load) {
        const Options *options = &bench->options;

        return (Run){
                .options = options,
                .authorities = &bench->authorities,
                .url = bench->url,
                .load = load,
                .verify = options->verify && !options->raw,
                .follow = options->follow,
                .progress = options->progress,
        };
}
