/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bench/check.h"
#include "bench/result/ledger.h"
#include "frame/complaint.h"
#include "frame/format.h"

#define EXAMPLES_MAX 20 /* keys to name */

typedef struct Check {
        LedgerKeys keys;
        uint8_t *verdicts; /* of each key; owned */
} Check;

static void check_done(Check *check) {
        ledger_keys_done(&check->keys);
        free(check->verdicts);
}

static void judge(const Connection *connection, void *userdata) {
        uint64_t i = connection->operation.number;
        Check *check = userdata;

        check->verdicts[i] = (uint8_t) ledger_judge(
                        check->keys.items[i], connection->outcome,
                        value_check_generation(&connection->check), connection->received);
}

static int print_json(size_t n, const uint64_t counts[static _VERDICT_MAX]) {
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        json_add_uint(json, "keys", n);
        for (Verdict v = 0; v < _VERDICT_MAX; v++)
                json_add_uint(json, verdict_to_string(v), counts[v]);

        text = json_format(json, true);
        if (!text)
                return -ENOMEM;

        return fputs(text, stdout) < 0 ? -EIO : 0;
}

/* Returns 0, 1 if not all is well, or a negative errno. */
static int report(const Check *check, bool json) {
        uint64_t counts[_VERDICT_MAX] = {}, n_bad = 0;
        size_t n = check->keys.n;

        for (size_t i = 0; i < n; i++) {
                Verdict verdict = check->verdicts[i];

                counts[verdict]++;
                if (verdict != VERDICT_OK && n_bad++ < EXAMPLES_MAX)
                        (void) complain(0, "'%s' is %s.", check->keys.names[i],
                                        verdict_to_string(verdict));
        }

        if (json) {
                int r = print_json(n, counts);

                if (r < 0)
                        return complain(r, "Failed to print: %m");
        } else {
                printf("%zu %s:", n, plural(n, "key", "keys"));
                for (Verdict v = 0; v < _VERDICT_MAX; v++)
                        printf(" %s %" PRIu64, verdict_to_string(v), counts[v]);
                putchar('\n');
        }

        return n_bad > 0;
}

int check_ledger(Bench *bench, const char *path) {
        _cleanup_(check_done) Check check = {};
        _cleanup_(load_done) Load load = {};
        _cleanup_free_ Tally *tally = calloc(1, sizeof(*tally));
        size_t line = 0;
        Run run;
        int r;

        r = ledger_read(path, &check.keys, &line);
        if (r == -EBADMSG)
                return complain(r, "%s:%zu: Not a line of a ledger.", path, line);
        if (r < 0)
                return complain(r, "Failed to read '%s': %m", path);

        /* Until an answer says otherwise. */
        check.verdicts = malloc(check.keys.n + 1);
        if (!check.verdicts || !tally)
                return complain(-ENOMEM, "Failed to make room for the keys: %m");
        memset(check.verdicts, VERDICT_UNREADABLE, check.keys.n);

        r = load_init(&load, &bench->options);
        if (r < 0)
                return r;
        load.pattern = LOAD_SEQUENTIAL;
        load.keys = load.count = check.keys.n;
        load.names = check.keys.names;
        load.read_percent = 100;
        load.duration_usec = 0;

        run = bench_make_run(bench, &load);
        run.verify = run.follow = true;
        run.observe = judge;
        run.userdata = &check;
        if (check.keys.n > 0) {
                r = run_execute(&run, tally);
                if (r < 0)
                        return r;
        }

        return report(&check, bench->options.json);
}
