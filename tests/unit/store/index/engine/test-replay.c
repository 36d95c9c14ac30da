/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Applying a request is a function of its bytes and of the tables alone. Tables are compared by
 * their dumps: nothing has to be kept for that, and nothing is left out. */

#include "test.h"

#include <semaphore.h>

#include "random-requests.h"
#include "store/index/dump.h"
#include "store/index/index-fixture.h"

#define REQUESTS 100000
#define BATCH    256

static sem_t done;
static unsigned n_refused, n_done;

static void on_done(IndexRequest *request, IndexResult result) {
        if (result.outcome == INDEX_DONE)
                n_done++;
        else
                n_refused++;
        (void) sem_post(&done);
}

static void wait_for_all(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                while (sem_wait(&done) < 0)
                        ;
}

static int append(const void *data, size_t size, void *userdata) {
        buffer_put(userdata, data, size);
        return 0;
}

static void dump(Index *index, Buffer *ret) {
        buffer_clear(ret);
        assert_int_equal(index_dump(index, append, ret), 0);
        assert_int_equal(buffer_error(ret), 0);
}

/* So that both belong to the same cluster. */
static Index *open_same(const char *directory) {
        static const uint8_t cluster[CLUSTER_ID_SIZE] = { 7 };
        IndexBeginTerm begin = { .cluster = cluster, .term = 5 };
        Index *index = open_index(directory);

        assert_int_equal(submit_and_wait(&index->submitter, REQUEST_BEGIN_TERM, &begin.request), 0);
        return index;
}

/* The requests as they come from the daemon, in batches of up to MAX; and their bytes, each with
 * its size in front. */
static void apply_and_record(Index *index, unsigned max, Buffer *ret) {
        RandomSource source = { .state = 88172645463325252, .version = 2, .index = index };
        RandomRequest *requests = calloc(BATCH, sizeof(*requests));

        for (unsigned left = REQUESTS, n; left > 0; left -= n) {
                n = MIN(1 + (unsigned) random_below(&source, max), left);
                for (unsigned i = 0; i < n; i++)
                        random_request(&source, random_type(&source), requests + i);
                for (unsigned i = 0; i < n; i++) {
                        IndexRequest *request = &requests[i].decoded.request;

                        request->done = on_done;
                        submit_again(&index->submitter, request);
                }
                wait_for_all(n);
                for (unsigned i = 0; i < n; i++) {
                        size_t start = ret->size;

                        buffer_put_u32(ret, 0);
                        request_encode(&requests[i].decoded.request, ret);
                        assert_int_equal(buffer_error(ret), 0);
                        buffer_set_u32(ret, start, (uint32_t) (ret->size - start - 4));
                }
        }
        free(requests);
}

/* The bytes, in batches of N. */
static void replay(Index *index, const Buffer *recorded, unsigned max) {
        DecodedRequest *requests = calloc(max, sizeof(*requests));
        Reader reader = READER(recorded->data, recorded->size);

        while (reader.size > 0) {
                unsigned n = 0;

                while (n < max && reader.size > 0) {
                        uint32_t size = reader_get_u32(&reader);

                        assert_int_equal(
                                        request_decode(reader_get(&reader, size), size,
                                                       requests + n),
                                        0);
                        requests[n].request.done = on_done;
                        submit_again(&index->submitter, &requests[n++].request);
                }
                wait_for_all(n);
                while (n > 0)
                        request_done(&requests[--n]);
        }
        free(requests);
}

TEST(the_same_requests_lead_to_the_same_tables) {
        _cleanup_(scratch_freep) char *first = scratch_new(), *second = scratch_new();
        _cleanup_(buffer_done) Buffer recorded = {}, one = {}, other = {};
        Index *index;
        unsigned n_refused_first;

        assert_int_equal(sem_init(&done, 0, 0), 0);
        index = open_same(first);
        apply_and_record(index, BATCH, &recorded);
        dump(index, &one);
        (void) index_free(index);
        n_refused_first = n_refused;
        print_message("%u of %u requests were refused; the tables are %zu bytes\n", n_refused,
                      n_refused + n_done, one.size);
        assert_in_range(n_done, REQUESTS / 3, REQUESTS - 1);

        n_refused = 0;
        index = open_same(second);
        replay(index, &recorded, 37);
        dump(index, &other);
        (void) index_free(index);

        assert_int_equal(n_refused, n_refused_first);
        assert_int_equal(one.size, other.size);
        assert_memory_equal(one.data, other.data, one.size);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_requests_lead_to_the_same_tables),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
