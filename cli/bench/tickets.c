/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bench/tickets.h"
#include "frame/complaint.h"

void tickets_done(Tickets *tickets) {
        for (size_t i = 0; i < tickets->n; i++)
                free(tickets->urls[i]);

        free(tickets->urls);
        *tickets = (Tickets){};
}

static void keep_location(const Connection *connection, void *userdata) {
        const char *location = http_parser_field(&connection->response, "Location");
        Tickets *tickets = userdata;

        /* Each key is requested once, so threads never write to the same element. */
        if (connection->outcome == OUTCOME_OK && location)
                tickets->urls[connection->operation.number] = strdup(location);
}

int tickets_get(Bench *bench, Tickets *ret) {
        _cleanup_(tickets_done) Tickets tickets = {};
        _cleanup_(load_done) Load load = {};
        _cleanup_free_ Tally *tally = calloc(1, sizeof(*tally));
        Run run;
        int r;

        r = load_init(&load, &bench->options);
        if (r < 0)
                return r;

        load.pattern = LOAD_SEQUENTIAL;
        load.count = load.keys;
        load.read_percent = 100;
        load.rate = load.duration_usec = 0;

        tickets.urls = calloc(load.keys, sizeof(*tickets.urls));
        if (!tickets.urls || !tally)
                return complain(-ENOMEM, "Failed to make room for the redirects: %m");
        tickets.n = load.keys;

        run = bench_make_run(bench, &load);
        run.follow = false;
        run.observe = keep_location;
        run.userdata = &tickets;
        r = run_execute(&run, tally);
        if (r < 0)
                return r;

        for (size_t i = 0; i < tickets.n; i++)
                if (!tickets.urls[i])
                        return complain(-ENOENT, "Found no redirect for key number %zu of %zu.", i,
                                        tickets.n);

        *ret = tickets;
        tickets = (Tickets){};
        return 0;
}
