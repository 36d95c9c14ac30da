/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/request/redirect.h"
#include "master/world.h"
#include "store/index/identity.h"

static Ticket make_ticket(void) {
        return (Ticket){
                .method = TICKET_READ,
                .version = 7,
                .revision = 3,
                .store = 4711,
                .expiry_sec = clock_realtime() / USEC_PER_SEC + 60,
        };
}

static int parse(const char *url, const char *key, Ticket *ret) {
        return ticket_parse(
                        strchr(url, '?') + 1, TICKET_READ, key, clock_realtime() / USEC_PER_SEC,
                        secret_signer(world.secret), ret);
}

TEST(an_address_leads_to_the_key_with_a_ticket_for_it) {
        static const struct {
                const char *key, *start;
        } rows[] = {
                { "k", "http://a:1/k?" },
                { "a/b c", "http://a:1/a/b%20c?" },
                { "100%?#", "http://a:1/100%25%3F%23?" },
                { "\xc3\xa4", "http://a:1/%C3%A4?" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Ticket ticket = make_ticket(), found;
                char url[REDIRECT_URL_SIZE];

                assert_ok(
                                redirect_url(world.secret, "http://a:1", rows[i].key, &ticket, url,
                                             sizeof(url)));
                assert_memory_equal(url, rows[i].start, strlen(rows[i].start));
                assert_ok(parse(url, rows[i].key, &found));
                assert_int_equal(found.version, 7);
                assert_int_equal(found.revision, 3);
                assert_int_equal(found.store, 4711);
                assert_int_equal(parse(url, "another", &found), -EACCES);
        }
}

TEST(the_longest_key_at_the_longest_address_fits) {
        char key[KEY_MAX + 1] = "", volume_url[VOLUME_URL_SIZE] = "http://", url[REDIRECT_URL_SIZE];
        Ticket ticket = make_ticket(), found;

        memset(key, '%', KEY_MAX); /* three characters each */
        memset(volume_url + 7, 'h', sizeof(volume_url) - 8);
        assert_ok(redirect_url(world.secret, volume_url, key, &ticket, url, sizeof(url)));
        assert_ok(parse(url, key, &found));
}

TEST(what_does_not_fit_is_refused_and_not_cut) {
        Ticket ticket = make_ticket();
        char whole[REDIRECT_URL_SIZE], url[REDIRECT_URL_SIZE];
        size_t size;

        assert_ok(redirect_url(world.secret, "http://a:1", "k", &ticket, whole, sizeof(whole)));
        for (size = 0; size <= strlen(whole); size++)
                assert_int_equal(
                                redirect_url(world.secret, "http://a:1", "k", &ticket, url, size),
                                -ENOBUFS);
}

/* A ticket names the store, whatever volume is at the address by then. */
TEST(each_store_of_each_cluster_has_a_name_of_its_own) {
        uint64_t stores[N_VOLUMES + 1];

        for (uint32_t i = 1; i <= N_VOLUMES; i++) {
                stores[i] = redirect_store(world.index, world.volumes, i);
                assert_int_not_equal(stores[i], 0);
                for (uint32_t k = 1; k < i; k++)
                        assert_int_not_equal(stores[i], stores[k]);
                assert_int_equal(redirect_store(world.index, world.volumes, i), stores[i]);
        }
        assert_int_equal(redirect_store(world.index, world.volumes, 99), 0);
}

TEST(people_who_did_not_follow_are_told_what_to_do) {
        const char *answer;

        assert_status(put("/k", "value"), 201);
        answer = get("/k");
        assert_status(answer, 307);
        assert_contains(body_of(answer), "The value is at the address");
        assert_contains(body_of(answer), "curl, use -L");
        assert_string_equal(header_of(answer, "Content-Type"), "text/plain");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_address_leads_to_the_key_with_a_ticket_for_it),
                RUN(the_longest_key_at_the_longest_address_fits),
                RUN(what_does_not_fit_is_refused_and_not_cut),
                RUN(each_store_of_each_cluster_has_a_name_of_its_own),
                RUN(people_who_did_not_follow_are_told_what_to_do),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
