/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/explanation.h"
#include "adm/context/polkit-agent.h"
#include "adm/dkvadm.h"
#include "base/file.h"
#include "bus/bus.h"
#include "core/placement/cluster.h"
#include "frame/terminal.h"

#define ADDRESS_MAX 4096

/* A sandbox has the address of its bus in a file. */
static int connect_to_sandbox(const char *directory, sd_bus **ret) {
        _cleanup_free_ char *path = NULL, *address = NULL;
        size_t size;
        int r;

        if (asprintf(&path, "%s/bus", directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }

        r = read_file(AT_FDCWD, path, ADDRESS_MAX, &address, &size);
        if (r < 0)
                return r;

        address[strcspn(address, "\n")] = '\0';
        return bus_open(address, ret);
}

static int open_anywhere(const Context *context, sd_bus **ret) {
        if (context->host)
                return sd_bus_open_system_remote(ret, context->host);
        if (context->machine)
                return sd_bus_open_system_machine(ret, context->machine);
        if (context->sandbox)
                return connect_to_sandbox(context->sandbox, ret);
        return bus_open(context->bus_address ?: "system", ret);
}

int context_open_bus(Context *context) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = open_anywhere(context, &bus);
        if (r < 0)
                return r;

        /* So that polkit may ask for a password, if there is somebody to ask: a desktop does so by
         * itself, a terminal needs an agent. Another machine has its own polkit. */
        if (context->asks && !context->host && !context->machine && !context->sandbox &&
            !context->bus_address)
                polkit_agent_open();
        r = sd_bus_set_allow_interactive_authorization(bus, isatty(STDIN_FILENO) == 1);
        if (r < 0)
                return r;

        context->bus = TAKE_PTR(bus);
        return 0;
}

int context_connect(Context *context) {
        int r;

        if (context->bus)
                return 0;

        r = context_open_bus(context);
        return r < 0 ? context_complain(context, r, NULL, "Failed to connect") : 0;
}

void context_done(Context *context) {
        context->bus = sd_bus_flush_close_unref(context->bus);
}

int context_check_local(const Context *context, const char *verb) {
        const char *option = context->host      ? "--host"
                             : context->machine ? "--machine"
                             : context->sandbox ? "--sandbox"
                                                : NULL;

        if (option)
                return complain_usage(
                                "'%s' works on files of this machine: %s is not for it.", verb,
                                option);

        if (!context->root && geteuid() != 0) {
                (void) complain(-EPERM, "Only root may do that.");
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

        if (!what || explanation_init(&explanation, context, error, bus_error) < 0)
                return complain(-ENOMEM, "Something failed: %m");

        (void) complain(error, "%s: %s", what, explanation.reason);
        if (*explanation.advice)
                advise("%s", explanation.advice);

        return -abs(error);
}

int context_append_epoch(const Context *context, sd_bus_message *call) {
        return context->epoch > 0 ? sd_bus_message_append(
                                                    call, "a{sv}", 1, "epoch", "t", context->epoch)
                                  : sd_bus_message_append(call, "a{sv}", 0);
}

VolumeTableRows context_rows(const Context *context) {
        return context->all || context->json != JSON_OFF ? VOLUME_TABLE_WITH_REMOVED
                                                         : VOLUME_TABLE_PRESENT;
}

TableLook context_look(const Context *context) {
        unsigned columns, lines;
        bool known = terminal_size(&columns, &lines);

        return (TableLook){
                .width = known && (terminal_is_there() || getenv("COLUMNS")) ? columns : 0,
                .legend = !context->no_legend,
                .colours = terminal_has_colours(),
        };
}

void context_page(Context *context) {
        if (!context->no_pager)
                pager_open();
}

/* TEXT is NULL if there was no memory for it. */
static int print(char *text) {
        _cleanup_free_ char *owned = text;

        if (!owned)
                return complain(-ENOMEM, "Failed to print: %m");

        (void) fputs(owned, stdout); /* main() looks whether it got out */
        return 0;
}

int context_print_json(Context *context, const Json *json) {
        context_page(context);
        return print(json_format(json, context->json == JSON_PRETTY));
}

int context_print_table(Context *context, const Table *table) {
        if (context->json != JSON_OFF) {
                _cleanup_(json_freep) Json *json = table_to_json(table);

                return context_print_json(context, json);
        }

        TableLook look = context_look(context);
        context_page(context);
        return print(table_format(table, &look));
}

int context_print_list(Context *context, const Table *table) {
        if (context->json != JSON_OFF) {
                _cleanup_(json_freep) Json *json = table_to_json(table);

                return context_print_json(context, json_array_get(json, 0));
        }

        TableLook look = context_look(context);
        context_page(context);
        return print(table_format_list(table, &look));
}

void context_say(const Context *context, const char *format, ...) {
        va_list arguments;

        if (context->quiet)
                return;

        va_start(arguments, format);
        (void) vprintf(format, arguments);
        va_end(arguments);
        (void) putchar('\n');
}

int parse_volume(const char *argument, uint32_t *ret) {
        uint64_t number;

        if (parse_u64(argument, VOLUME_MAX, &number) < 0 || number == 0)
                return complain_usage(
                                "'%s' is no volume: that is a number from 1 to %u.", argument,
                                (unsigned) VOLUME_MAX);

        *ret = (uint32_t) number;
        return 0;
}
