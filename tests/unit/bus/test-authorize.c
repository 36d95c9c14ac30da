/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "bus/authorize.h"
#include "bus/bus-ends.h"

#define PATH      "/org/dkv/Test"
#define INTERFACE "org.dkv.Test.Thing"
#define ACTION    "org.dkv.test"
#define REFUSED   "org.dkv.Error.NotAuthorized"
#define STRANGER  ((uid_t) 54321)
#define QUESTIONS 256 /* at a time */

/* Who calls, and over what. */
static uid_t caller;
static const char *scope;

int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret);
int __wrap_sd_bus_get_scope(sd_bus *bus, const char **ret);

int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret) {
        *ret = caller;
        return 0;
}

int __wrap_sd_bus_get_scope(sd_bus *bus, const char **ret) {
        if (!scope)
                return -ENODATA;
        *ret = scope;
        return 0;
}

typedef struct Fixture {
        BusEnds ends;
        BusAuthority authority;
        unsigned n_done; /* how often something was really changed */

        /* polkit */
        bool authorized, challenge;
        unsigned n_asked;
        uint32_t flags;
        const char *failure; /* the name of an error, instead of an answer */
        bool hold;           /* questions get no answer yet */
        sd_bus_message *held[QUESTIONS];
        unsigned n_held;
} Fixture;

static int change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Fixture *fixture = userdata;
        const char *what;
        int r;

        r = sd_bus_message_read(message, "s", &what);
        if (r < 0)
                return r;
        if (strcmp(what, "fail") == 0)
                return bus_fail(error, -EBUSY, NULL);
        fixture->n_done++;
        return sd_bus_reply_method_return(message, "s", what);
}

static int method_change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Fixture *fixture = userdata;

        return bus_authorize(&fixture->authority, message, ACTION, change, fixture);
}

static int get_uid(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;

        assert_ok(sd_bus_message_read(message, "s", &name));
        assert_string_equal(name, ":1.7");
        return sd_bus_reply_method_return(message, "u", (uint32_t) caller);
}

static int check_authorization(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Fixture *fixture = userdata;
        const char *kind, *key, *name, *action, *cancellation;

        assert_ok(sd_bus_message_read(
                        message, "(sa{sv})sa{ss}us", &kind, 1, &key, "s", &name, &action, 0,
                        &fixture->flags, &cancellation));
        assert_string_equal(kind, "system-bus-name");
        assert_string_equal(key, "name");
        assert_string_equal(name, ":1.7");
        assert_string_equal(action, ACTION);
        fixture->n_asked++;
        if (fixture->hold) {
                assert_true(fixture->n_held < QUESTIONS);
                fixture->held[fixture->n_held++] = sd_bus_message_ref(message);
                return 1;
        }
        if (fixture->failure)
                return sd_bus_reply_method_errorf(message, fixture->failure, "Sorry");
        return sd_bus_reply_method_return(
                        message, "(bba{ss})", fixture->authorized, fixture->challenge, 0);
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Change", "s", "s", method_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable driver_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", get_uid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", check_authorization,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const BusObject objects[] = {
        { PATH, INTERFACE, vtable },
        {}
};

/* The other end plays the bus and polkit, too. */
static const BusObject others[] = {
        { "/org/freedesktop/DBus", "org.freedesktop.DBus", driver_vtable },
        { "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
          polkit_vtable },
        {}
};
/* clang-format on */

static int setup_with(void **state, size_t n_others) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        BusObject table[3] = {};

        memcpy(table, others, n_others * sizeof(*others));
        scope = NULL;
        caller = STRANGER;
        bus_ends_init(&fixture->ends);
        assert_ok(bus_add_objects(fixture->ends.server, objects, fixture));
        assert_ok(bus_add_objects(fixture->ends.client, table, fixture));
        *state = fixture;
        return 0;
}

static int setup(void **state) {
        return setup_with(state, 2);
}

static int setup_without_polkit(void **state) {
        return setup_with(state, 1);
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        bus_authority_done(&fixture->authority);
        for (unsigned i = 0; i < fixture->n_held; i++)
                (void) sd_bus_message_unref(fixture->held[i]);
        bus_ends_done(&fixture->ends);
        free(fixture);
        return 0;
}

static sd_bus_message *make_call(Fixture *fixture, const char *sender, const char *what) {
        sd_bus_message *call;

        assert_ok(sd_bus_message_new_method_call(
                        fixture->ends.client, &call, NULL, PATH, INTERFACE, "Change"));
        assert_ok(sd_bus_message_append(call, "s", what));
        if (sender)
                assert_ok(sd_bus_message_set_sender(call, sender));
        return call;
}

static sd_bus_message *ask(Fixture *fixture, const char *sender, const char *what) {
        sd_bus_message *call = make_call(fixture, sender, what), *reply;

        assert_ok(bus_run_call(fixture->ends.client, call, &reply));
        (void) sd_bus_message_unref(call);
        assert_int_equal(fixture->authority.n_checks, 0);
        return reply;
}

static void assert_done(Fixture *fixture, const char *sender) {
        unsigned before = fixture->n_done;
        sd_bus_message *reply = assert_no_bus_error(ask(fixture, sender, "x"));

        (void) sd_bus_message_unref(reply);
        assert_int_equal(fixture->n_done, before + 1);
}

TEST(peer_is_judged_by_its_uid) {
        Fixture *fixture = *state;

        assert_bus_error(ask(fixture, NULL, "x"), REFUSED, "root");
        assert_int_equal(fixture->n_done, 0);
        caller = 0;
        assert_done(fixture, NULL);
        caller = geteuid();
        assert_done(fixture, NULL);
        assert_bus_error(ask(fixture, NULL, "fail"), "org.dkv.Error.Busy", "");
}

TEST(private_bus_is_for_root_and_us) {
        Fixture *fixture = *state;

        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "root");
        assert_int_equal(fixture->n_done, 0);
        caller = 0;
        assert_done(fixture, ":1.7");
        caller = geteuid();
        assert_done(fixture, ":1.7");
        assert_int_equal(fixture->n_asked, 0);
}

TEST(polkit_decides_on_the_system_bus) {
        Fixture *fixture = *state;

        scope = "system";
        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "polkit action " ACTION);
        fixture->challenge = true;
        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "password");
        assert_int_equal(fixture->n_done, 0);
        fixture->authorized = true;
        assert_done(fixture, ":1.7");
        assert_int_equal(fixture->n_asked, 3);
        assert_bus_error(ask(fixture, ":1.7", "fail"), "org.dkv.Error.Busy", "");
        assert_int_equal(fixture->flags, 0);
}

TEST(root_needs_no_polkit) {
        Fixture *fixture = *state;

        scope = "system";
        caller = 0;
        assert_done(fixture, ":1.7");
        assert_int_equal(fixture->n_asked, 0);
}

TEST(without_polkit_others_are_refused) {
        Fixture *fixture = *state;

        scope = "system";
        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "polkit");
        assert_int_equal(fixture->n_done, 0);
}

TEST(without_an_answer_about_the_uid_nobody_may) {
        Fixture *fixture = *state;
        sd_bus_message *reply;

        scope = "system";
        caller = 0;
        reply = ask(fixture, ":1.7", "x");
        assert_non_null(sd_bus_message_get_error(reply));
        (void) sd_bus_message_unref(reply);
        assert_int_equal(fixture->n_done, 0);
}

TEST(human_is_asked_only_if_the_caller_wants_that) {
        Fixture *fixture = *state;
        sd_bus_message *call = make_call(fixture, ":1.7", "x"), *reply;

        scope = "system";
        assert_ok(sd_bus_message_set_allow_interactive_authorization(call, true));
        assert_ok(bus_run_call(fixture->ends.client, call, &reply));
        assert_bus_error(reply, REFUSED, "");
        (void) sd_bus_message_unref(call);
        assert_int_equal(fixture->flags, 1);
}

TEST(who_polkit_cannot_judge_is_refused) {
        Fixture *fixture = *state;

        scope = "system";
        fixture->authorized = true;
        fixture->failure = "org.freedesktop.PolicyKit1.Error.Failed";
        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "polkit does not answer");
        fixture->failure = SD_BUS_ERROR_NAME_HAS_NO_OWNER;
        assert_bus_error(ask(fixture, ":1.7", "x"), REFUSED, "there is no polkit here");
        assert_int_equal(fixture->n_done, 0);

        fixture->failure = NULL;
        assert_done(fixture, ":1.7");
}

static int say_yes(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "b", true);
}

static int setup_with_nonsense(void **state) {
        static const sd_bus_vtable nonsense[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "b", say_yes,
                              SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        const BusObject table[] = { { others[1].path, others[1].interface, nonsense }, {} };
        Fixture *fixture;

        (void) setup_with(state, 1);
        fixture = *state;
        return bus_add_objects(fixture->ends.client, table, fixture);
}

TEST(an_answer_of_another_form_is_no_permission) {
        Fixture *fixture = *state;
        sd_bus_message *reply;

        scope = "system";
        reply = ask(fixture, ":1.7", "x");
        assert_non_null(sd_bus_message_get_error(reply));
        (void) sd_bus_message_unref(reply);
        assert_int_equal(fixture->n_done, 0);
}

static void
send_call(Fixture *fixture, const char *what, sd_bus_message_handler_t on_reply, void *userdata) {
        sd_bus_message *call = make_call(fixture, ":1.7", what);

        assert_ok(sd_bus_call_async(fixture->ends.client, NULL, call, on_reply, userdata, 0));
        (void) sd_bus_message_unref(call);
}

static int keep_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(message);
        return 1;
}

static void assert_reply(sd_bus_message *reply, const char *expected) {
        const char *text;

        assert_ok(sd_bus_message_read(assert_no_bus_error(reply), "s", &text));
        assert_string_equal(text, expected);
        (void) sd_bus_message_unref(reply);
}

/* Somebody looks for a password while others go on. */
TEST(each_answer_is_for_the_call_that_was_asked_about) {
        sd_bus_message *first = NULL, *second = NULL, *third = NULL;
        Fixture *fixture = *state;

        scope = "system";
        fixture->hold = true;
        send_call(fixture, "first", keep_reply, &first);
        send_call(fixture, "second", keep_reply, &second);
        bus_ends_await(&fixture->ends, fixture->n_held == 2);
        fixture->hold = false;
        fixture->authorized = true;
        send_call(fixture, "third", keep_reply, &third);
        bus_ends_await(&fixture->ends, third);
        assert_reply(third, "third");
        assert_null(first);

        assert_ok(sd_bus_reply_method_return(fixture->held[1], "(bba{ss})", true, false, 0));
        bus_ends_await(&fixture->ends, second);
        assert_reply(second, "second");
        assert_ok(sd_bus_reply_method_return(fixture->held[0], "(bba{ss})", false, false, 0));
        bus_ends_await(&fixture->ends, first);
        assert_bus_error(first, REFUSED, "denied");
        assert_int_equal(fixture->n_done, 2);
        assert_int_equal(fixture->authority.n_checks, 0);
}

/* A program that calls without end, and never answers polkit, costs a bounded amount of memory. */
TEST(there_are_only_so_many_questions_at_a_time) {
        sd_bus_message *reply = NULL;
        Fixture *fixture = *state;

        scope = "system";
        fixture->hold = true;
        for (unsigned i = 0; i < QUESTIONS; i++)
                send_call(fixture, "x", NULL, NULL);
        bus_ends_await(&fixture->ends, fixture->n_held == QUESTIONS);
        assert_int_equal(fixture->authority.n_checks, QUESTIONS);

        send_call(fixture, "x", keep_reply, &reply);
        bus_ends_await(&fixture->ends, reply);
        assert_int_equal(sd_bus_message_get_errno(reply), EAGAIN);
        (void) sd_bus_message_unref(reply);

        fixture->hold = false;
        fixture->authorized = true;
        assert_ok(sd_bus_reply_method_return(fixture->held[7], "(bba{ss})", true, false, 0));
        bus_ends_await(&fixture->ends, fixture->n_done == 1);
        reply = NULL;
        send_call(fixture, "y", keep_reply, &reply);
        bus_ends_await(&fixture->ends, reply);
        assert_reply(reply, "y");
}

TEST(questions_can_be_forgotten) {
        Fixture *fixture = *state;

        scope = "system";
        fixture->hold = true;
        send_call(fixture, "x", NULL, NULL);
        bus_ends_await(&fixture->ends, fixture->n_held == 1);
        assert_int_equal(fixture->authority.n_checks, 1);

        bus_authority_done(&fixture->authority);
        assert_int_equal(fixture->authority.n_checks, 0);
        assert_ok(sd_bus_reply_method_return(fixture->held[0], "(bba{ss})", true, false, 0));
        fixture->hold = false;
        assert_bus_error(ask(fixture, ":1.7", "y"), REFUSED, ""); /* comes after that answer */
        assert_int_equal(fixture->n_done, 0);
}

#define ROW(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, teardown)

static int setup_with_nobody(void **state) {
        return setup_with(state, 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(peer_is_judged_by_its_uid, setup),
                ROW(private_bus_is_for_root_and_us, setup),
                ROW(polkit_decides_on_the_system_bus, setup),
                ROW(root_needs_no_polkit, setup_without_polkit),
                ROW(without_polkit_others_are_refused, setup_without_polkit),
                ROW(without_an_answer_about_the_uid_nobody_may, setup_with_nobody),
                ROW(human_is_asked_only_if_the_caller_wants_that, setup),
                ROW(who_polkit_cannot_judge_is_refused, setup),
                ROW(an_answer_of_another_form_is_no_permission, setup_with_nonsense),
                ROW(each_answer_is_for_the_call_that_was_asked_about, setup),
                ROW(there_are_only_so_many_questions_at_a_time, setup),
                ROW(questions_can_be_forgotten, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
