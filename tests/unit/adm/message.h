/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A message with values, to be read by what is tested. */

#include "test.h"

#include <systemd/sd-event.h>

#include "adm/words.h"
#include "bus/bus.h"

typedef struct MessageMaker {
        sd_event *event;
        sd_bus *buses[2];
        sd_bus_message *message;
} MessageMaker;

/* TEXT is as for words_append(). */
static inline sd_bus_message *message_begin(
                MessageMaker *maker, const char *types, const char *text) {
        assert_ok(sd_event_new(&maker->event));
        assert_ok(bus_new_pair(maker->event, maker->buses, maker->buses + 1));
        assert_ok(sd_bus_message_new_method_call(
                        maker->buses[0], &maker->message, NULL, "/a", "a.b", "C"));
        words_append(maker->message, types, text);
        assert_ok(sd_bus_message_seal(maker->message, 1, 0));
        return maker->message;
}

static inline void message_end(MessageMaker *maker) {
        (void) sd_bus_message_unref(maker->message);
        (void) sd_bus_close_unref(maker->buses[0]);
        (void) sd_bus_close_unref(maker->buses[1]);
        (void) sd_event_unref(maker->event);
}
