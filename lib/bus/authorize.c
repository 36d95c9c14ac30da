/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "bus/authorize.h"
#include "bus/bus.h"

#define CHECKS_MAX 256 /* at a time */

#define POLKIT_ALLOW_INTERACTION 1
#define POLKIT_TIMEOUT_USEC      (2 * USEC_PER_MIN) /* time for a human to find a password */

/* A call that waits while the bus and polkit are asked about its sender. */
typedef struct BusCheck {
        BusAuthority *authority;
        struct BusCheck *next, **link;
        sd_bus_message *message;
        sd_bus_slot *slot; /* of the question under way */
        uid_t uid;         /* of the sender; known when polkit is asked */
        char *action;
        sd_bus_message_handler_t handler;
        void *userdata;
} BusCheck;

static BusCheck *check_free(BusCheck *check) {
        if (!check)
                return NULL;

        *check->link = check->next;
        if (check->next)
                check->next->link = check->link;
        check->authority->n_checks--;
        (void) sd_bus_slot_unref(check->slot);
        (void) sd_bus_message_unref(check->message);
        free(check->action);
        free(check);
        return NULL;
}
DEFINE_CLEANUP(BusCheck *, check_free);

static int check_new(
                BusAuthority *authority,
                sd_bus_message *message,
                const char *action,
                sd_bus_message_handler_t handler,
                void *userdata,
                BusCheck **ret) {
        BusCheck *check;
        char *copy;

        check = malloc(sizeof(*check));
        copy = strdup(action);
        if (!check || !copy) {
                free(check);
                free(copy);
                return -ENOMEM;
        }

        *check = (BusCheck){
                .authority = authority,
                .next = authority->checks,
                .link = &authority->checks,
                .message = sd_bus_message_ref(message),
                .action = copy,
                .handler = handler,
                .userdata = userdata,
        };
        if (check->next)
                check->next->link = &check->next;
        authority->checks = check;
        authority->n_checks++;
        *ret = check;
        return 0;
}

void bus_authority_done(BusAuthority *authority) {
        while (authority->checks)
                (void) check_free(authority->checks);
}

/* A sender that is gone does not get the reply, which does not matter. */
static int reply_error(sd_bus_message *message, int r, const sd_bus_error *error) {
        if (sd_bus_error_is_set(error))
                (void) sd_bus_reply_method_error(message, error);
        else
                (void) sd_bus_reply_method_errno(message, r, NULL);
        return 1;
}

static int allow(
                BusAuthority *authority,
                uid_t uid,
                sd_bus_message *message,
                sd_bus_message_handler_t handler,
                void *userdata) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        authority->uid = uid;
        r = handler(message, userdata, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                return reply_error(message, r, &error);
        return 1;
}

static int allow_check(BusCheck *check) {
        return allow(check->authority, check->uid, check->message, check->handler, check->userdata);
}

static int refuse(sd_bus_message *message, const char *text) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = bus_fail(&error, -EKEYREJECTED, "Not allowed: %s", text);
        return reply_error(message, r, &error);
}

/* WHY ends a sentence that begins with the action. */
static int refuse_action(const BusCheck *check, const char *why) {
        char text[256];

        (void) snprintf(text, sizeof(text), "polkit action %s %s", check->action, why);
        return refuse(check->message, text);
}

static const char only_root_or_us[] = "this is for root and for the user that dkv runs as.";

static bool is_root_or_us(uid_t uid) {
        return uid == 0 || uid == geteuid();
}

static bool is_system_bus(sd_bus *bus) {
        const char *scope;

        return sd_bus_get_scope(bus, &scope) >= 0 && strcmp(scope, "system") == 0;
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        _cleanup_(check_freep) BusCheck *check = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int authorized, challenge, r;

        if (error && (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                      sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)))
                return refuse_action(check, "is for root only, as there is no polkit here.");
        if (error)
                return refuse_action(check, "is for root only, as polkit does not answer.");

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r < 0)
                return reply_error(check->message, r, NULL);
        if (!authorized && challenge)
                return refuse_action(check, "wants a password; try sudo, or see dkvadm(8).");
        if (!authorized)
                return refuse_action(check, "is denied to you; try sudo, or see dkvadm(8).");

        return allow_check(check);
}

static int ask_polkit(BusCheck *check) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        bool interactive = sd_bus_message_get_allow_interactive_authorization(check->message) > 0;
        sd_bus *bus = sd_bus_message_get_bus(check->message);
        int r;

        r = sd_bus_message_new_method_call(
                        bus, &call, "org.freedesktop.PolicyKit1",
                        "/org/freedesktop/PolicyKit1/Authority",
                        "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                        call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                        sd_bus_message_get_sender(check->message), check->action, 0,
                        interactive ? POLKIT_ALLOW_INTERACTION : 0, "");
        if (r < 0)
                return r;

        check->slot = sd_bus_slot_unref(check->slot);
        return sd_bus_call_async(bus, &check->slot, call, on_polkit, check, POLKIT_TIMEOUT_USEC);
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        _cleanup_(check_freep) BusCheck *check = userdata;
        uint32_t uid;
        int r;

        /* A sender that is gone needs no answer, but others may meet an error, too. */
        r = -sd_bus_message_get_errno(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &uid);
        if (r < 0)
                return reply_error(check->message, r, NULL);
        check->uid = uid;
        if (is_root_or_us(uid))
                return allow_check(check);
        if (!is_system_bus(sd_bus_message_get_bus(check->message)))
                return refuse(check->message, only_root_or_us);

        r = ask_polkit(check);
        if (r < 0)
                return reply_error(check->message, r, NULL);
        TAKE_PTR(check);
        return 1;
}

/* The bus is asked by hand: sd_bus_query_sender_creds() would wait for the answer. */
static int ask_bus(BusCheck *check) {
        return sd_bus_call_method_async(
                        sd_bus_message_get_bus(check->message), &check->slot,
                        "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "GetConnectionUnixUser", on_uid, check, "s",
                        sd_bus_message_get_sender(check->message));
}

/* If there is no bus in between, the other end of the socket is the sender. */
static int decide_about_peer(
                BusAuthority *authority,
                sd_bus_message *message,
                sd_bus_message_handler_t handler,
                void *userdata) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        int r;

        r = sd_bus_get_owner_creds(sd_bus_message_get_bus(message), SD_BUS_CREDS_EUID, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;

        if (!is_root_or_us(uid))
                return refuse(message, only_root_or_us);
        return allow(authority, uid, message, handler, userdata);
}

int bus_authorize(
                BusAuthority *authority,
                sd_bus_message *message,
                const char *action,
                sd_bus_message_handler_t handler,
                void *userdata) {
        _cleanup_(check_freep) BusCheck *check = NULL;
        int r;

        assert(authority);
        assert(message);
        assert(action);
        assert(handler);

        if (!sd_bus_message_get_sender(message))
                return decide_about_peer(authority, message, handler, userdata);

        if (authority->n_checks == CHECKS_MAX)
                return -EAGAIN;
        r = check_new(authority, message, action, handler, userdata, &check);
        if (r < 0)
                return r;
        r = ask_bus(check);
        if (r < 0)
                return r;
        TAKE_PTR(check);
        return 1;
}
