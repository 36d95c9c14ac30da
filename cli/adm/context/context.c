/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "adm/context/context.h"
#include "adm/context/explanation.h"

int context_connect(Context *context) {
        int r;

        if (context->connection.bus)
                return 0;

        r = connection_open(&context->connection);
        return r < 0 ? context_complain(context, r, NULL, "Failed to connect") : 0;
}

void context_done(Context *context) {
        connection_done(&context->connection);
}

int context_check_local(const Context *context, const char *verb) {
        const char *option = context->connection.host      ? "--host"
                             : context->connection.machine ? "--machine"
                             : context->connection.sandbox ? "--sandbox"
                                                           : NULL;

        if (option)
                return complain_usage(
                                "'%s' works on files of this machine and does not go with %s.",
                                verb, option);

        if (!context->options.root && geteuid() != 0) {
                (void) complain(-EPERM, "Only root can do that.");
                advise("Try: sudo dkvadm %s", verb);
                return -EPERM;
        }
        return 0;
}

int context_complain(
                const Context *context,
                int error,
                const sd_bus_error *bus_error,
                const char *format,
                ...) {
        _cleanup_(explanation_done) Explanation explanation = {};
        _cleanup_free_ char *what = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&what, format, arguments) < 0)
                what = NULL;
        va_end(arguments);

        if (!what || explanation_init(&explanation, &context->connection, error, bus_error) < 0)
                return complain(-ENOMEM, "Something failed: %m");

        (void) complain(error, "%s: %s", what, explanation.reason);
        if (*explanation.advice)
                advise("%s", explanation.advice);

        return -abs(error);
}
