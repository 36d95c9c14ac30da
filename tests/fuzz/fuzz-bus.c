/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bus/bus.h"
#include "fuzz.h"

/* Two ends of a connection that nothing is ever sent on. */
static sd_bus *some_bus(void) {
        static sd_event *event;
        static sd_bus *server, *client;

        if (!client)
                assert(sd_event_new(&event) == 0 && bus_new_pair(event, &server, &client) == 0);
        return client;
}

/* Puts an entry of an a{sv} into MESSAGE, made of up to SIZE bytes: a type, the length of the name,
 * the name, the length of the value, the value. Returns how many it took, 0 at the end. */
static size_t append_entry(sd_bus_message *message, const uint8_t *data, size_t size) {
        static const char types[] = "sutbdxyo";
        size_t name_size, value_size;
        _cleanup_free_ char *name = NULL, *value = NULL;
        uint64_t number = 0;
        char type[2] = {};

        if (size < 3)
                return 0;
        type[0] = types[data[0] % (sizeof(types) - 1)];
        name_size = MIN((size_t) data[1] % 16, size - 3);
        value_size = MIN((size_t) data[2 + name_size] % 32, size - 3 - name_size);
        name = fuzz_string(data + 2, name_size);
        value = fuzz_string(data + 3 + name_size, value_size);
        memcpy(&number, value, MIN(value_size, sizeof(number)));

        assert(sd_bus_message_open_container(message, 'e', "sv") >= 0);
        if (sd_bus_message_append(message, "s", name) < 0) /* which is no UTF-8 */
                assert(sd_bus_message_append(message, "s", "text") >= 0);
        assert(sd_bus_message_open_container(message, 'v', type) >= 0);
        if (type[0] == 's' || type[0] == 'o') {
                if (sd_bus_message_append_basic(message, type[0], value) < 0)
                        assert(sd_bus_message_append_basic(message, type[0], "/") >= 0);
        } else {
                int flag = number & 1;

                assert(sd_bus_message_append_basic(
                                       message, type[0],
                                       type[0] == 'b' ? (const void *) &flag : &number) >= 0);
        }
        assert(sd_bus_message_close_container(message) >= 0);
        assert(sd_bus_message_close_container(message) >= 0);
        return 3 + name_size + value_size;
}

/* Reads the name of an entry and not its value. */
static int on_half(sd_bus_message *message, void *userdata) {
        const char *name;

        (void) userdata;
        return sd_bus_message_read(message, "s", &name);
}

/* The last option of a message that is good, however many there are before it. */
static void check(sd_bus_message *message, bool has_options) {
        const char *text = NULL;
        uint32_t small = 7;
        uint64_t large = 7;
        int flag = 7;
        BusOption options[] = { { "text", 's', &text, false },
                                { "small", 'u', &small, false },
                                { "large", 't', &large, false },
                                { "flag", 'b', &flag, false },
                                {} };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = bus_read_options(message, options, &error);
        assert(!has_options || r >= 0 || (sd_bus_error_is_set(&error) && error.message));
        assert(has_options || r < 0);
        assert(options[0].is_set == (text != NULL));
        assert(options[1].is_set || small == 7);
        assert(options[2].is_set || large == 7);
        assert(flag == (options[3].is_set ? flag & 1 : 7));
        sd_bus_error_free(&error);
}

static sd_bus_message *make_message(const uint8_t *data, size_t size) {
        sd_bus_message *message = NULL;
        size_t n;

        assert(sd_bus_message_new_method_call(some_bus(), &message, NULL, "/", NULL, "Fuzz") >= 0);
        assert(sd_bus_message_open_container(message, 'a', "{sv}") >= 0);
        while ((n = append_entry(message, data, size)) > 0) {
                data += n;
                size -= n;
        }
        assert(sd_bus_message_close_container(message) >= 0);
        assert(sd_bus_message_seal(message, 1, 0) >= 0);
        assert(sd_bus_message_rewind(message, true) >= 0);
        return message;
}

/* The input is the options of a method call. Without them, or if what reads them does not read all
 * of an entry, there is an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        sd_bus_message *message = make_message(data, size), *empty = NULL;

        check(message, true);
        assert(sd_bus_message_rewind(message, true) >= 0);
        assert(bus_read_entries(message, "sv", on_half, NULL) == (size < 3 ? 1 : -EBUSY));
        sd_bus_message_unref(message);

        assert(sd_bus_message_new_method_call(some_bus(), &empty, NULL, "/", NULL, "Fuzz") >= 0);
        assert(sd_bus_message_seal(empty, 1, 0) >= 0);
        check(empty, false);
        sd_bus_message_unref(empty);
        return 0;
}
