/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs of the master itself. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/master.h"
#include "adm/view/view.h"

/* Returns 0 to proceed, or else the exit status. */
static int ask(const Context *context, const char *reason) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        if (context->options.yes)
                return 0;
        if (context->output.json != JSON_OFF || isatty(STDIN_FILENO) != 1 ||
            isatty(STDOUT_FILENO) != 1)
                return complain_usage(
                                "Cannot ask for confirmation without a terminal: --yes proceeds.");

        (void) printf("%s\nNewer values and deletions, which this index does not know, will be given up.\n"
                      "This cannot be undone. If there is a newer index, restore that one instead.\n"
                      "Proceed? [y/N] ",
                      reason);
        (void) fflush(stdout);
        if (getline(&line, &size, stdin) > 0 && (*line == 'y' || *line == 'Y'))
                return 0;

        advise("Nothing was changed.");
        return EXIT_FAILURE;
}

int verb_master_accept_rollback(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(view_freep) View *view = NULL;
        int r;

        r = context_connect(context);
        if (r < 0)
                return r;
        r = view_get(context->connection.bus, &error, &view);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to query the master");
        r = ask(context, view->health_reason);
        if (r != 0)
                return r;

        r = sd_bus_call_method(
                        context->connection.bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE,
                        "AcceptRollback", &error, NULL, "a{sv}", 0);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to accept the older index");

        output_say(&context->output,
                   "The master leads with the older index. To see what is lost: dkvadm status");
        return 0;
}
