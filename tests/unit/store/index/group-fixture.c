/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/group-fixture.h"

static int script_propose(Buffer *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;
        Script *script = seat->script;
        Proposed *proposed;

        if (script->error < 0)
                return script->error;

        (void) pthread_mutex_lock(&script->lock);
        assert_true(script->n < SCRIPT_MAX);
        proposed = script->log + script->n++;
        *proposed = (Proposed){ .data = *entry, .from = seat, .proposal = proposal };
        proposed->entry = (Entry){ script->term, ENTRY_REQUESTS, (uint32_t) proposed->data.size,
                                   proposed->data.data };
        *entry = (Buffer){};
        (void) pthread_cond_broadcast(&script->changed);
        (void) pthread_mutex_unlock(&script->lock);
        return 0;
}

static void script_on_ready(void *userdata) {
        Seat *seat = userdata;

        atomic_fetch_add(&seat->n_ready, 1);
}

static void script_on_broken(int error, void *userdata) {
        Seat *seat = userdata;

        assert_int_equal(atomic_exchange(&seat->broken, error), 0);
}

int seat_try_open(Seat *seat) {
        const IndexGroup group = {
                .propose = script_propose,
                .on_ready = script_on_ready,
                .on_broken = script_on_broken,
                .userdata = seat,
        };
        const IndexOptions options = {
                .directory = seat->directory,
                .log_size = 256 * KIB,
                .group = &group,
                .before_done = seat->before_done,
        };

        atomic_store(&seat->broken, 0);
        return index_open(&options, &seat->index);
}

void seat_open(Seat *seat) {
        ConsensusApplied applied;
        uint64_t on_disk;

        assert_int_equal(seat_try_open(seat), 0);
        index_applied(seat->index, &applied, &on_disk);
        seat->told = applied.index;
        assert_int_equal(on_disk, applied.index);
}

void seat_close(Seat *seat) {
        Script *script = seat->script;

        for (size_t i = 0; i < script->n; i++) {
                Proposed *proposed = script->log + i;

                if (proposed->from == seat && seat->index)
                        index_refused(seat->index, proposed->proposal, -EINPROGRESS);
                if (proposed->from == seat)
                        proposed->from = NULL;
        }
        script->error = script->error ?: -ESHUTDOWN;
        seat->index = index_free(seat->index);
        script->error = script->error == -ESHUTDOWN ? 0 : script->error;
}

int seat_decide(Seat *seat) {
        Script *script = seat->script;
        Proposed proposed;
        int r;

        (void) pthread_mutex_lock(&script->lock);
        assert_true(seat->told + 1 - FIRST_DECIDED < script->n);
        proposed = script->log[seat->told + 1 - FIRST_DECIDED];
        (void) pthread_mutex_unlock(&script->lock);

        r = index_decided(
                        seat->index, seat->told + 1, &proposed.entry,
                        proposed.from == seat ? proposed.proposal : NULL);
        if (r < 0)
                return r;
        if (proposed.from == seat)
                script->log[seat->told + 1 - FIRST_DECIDED].from = NULL;
        seat->told++;
        return 0;
}

static uint64_t script_end(Script *script) {
        uint64_t end;

        (void) pthread_mutex_lock(&script->lock);
        end = FIRST_DECIDED + script->n;
        (void) pthread_mutex_unlock(&script->lock);
        return end;
}

void seat_follow(Seat *seat) {
        uint64_t on_disk, end = script_end(seat->script);
        ConsensusApplied applied;

        while (seat->told + 1 < end)
                if (seat_decide(seat) == -EAGAIN)
                        (void) usleep(USEC_PER_MSEC);
        do {
                (void) sched_yield();
                index_applied(seat->index, &applied, &on_disk);
        } while (applied.index + 1 < end && atomic_load(&seat->broken) == 0);
}

void script_note_answer(Script *script) {
        (void) pthread_mutex_lock(&script->lock);
        script->n_answered++;
        (void) pthread_cond_broadcast(&script->changed);
        (void) pthread_mutex_unlock(&script->lock);
}

void script_run(Script *script, Seat *leader, unsigned n_answers) {
        for (;;) {
                unsigned n_answered;

                (void) pthread_mutex_lock(&script->lock);
                while (script->n_answered < n_answers &&
                       leader->told + 1 - FIRST_DECIDED >= script->n)
                        (void) pthread_cond_wait(&script->changed, &script->lock);
                n_answered = script->n_answered;
                (void) pthread_mutex_unlock(&script->lock);
                if (n_answered >= n_answers)
                        return;
                assert_int_equal(seat_decide(leader), 0);
        }
}

void script_add(Script *script, EntryType type, const void *data, size_t size) {
        Buffer bytes = {};
        int error = script->error;

        buffer_put(&bytes, data, size);
        script->error = 0;
        assert_int_equal(script_propose(&bytes, NULL, script->seats), 0);
        script->error = error;
        script->log[script->n - 1].from = NULL;
        script->log[script->n - 1].entry.type = type;
}

void script_new(Script *script) {
        static const Members one = {
                .n = 1,
                .member = { { .id = 1, .role = MEMBER_VOTER, .url = "http://one" } },
        };
        Index *index;

        *script = (Script){ .term = 5 };
        (void) pthread_mutex_init(&script->lock, NULL);
        (void) pthread_cond_init(&script->changed, NULL);
        script->log = calloc(SCRIPT_MAX, sizeof(*script->log));
        script->seats[0].directory = scratch_new();
        index = open_index(script->seats[0].directory);
        assert_int_equal(index_found_group(index, &one), 0);
        (void) index_free(index);
        for (size_t i = 0; i < SEATS; i++) {
                Seat *seat = script->seats + i;

                seat->script = script;
                if (i > 0)
                        seat->directory = scratch_copy(script->seats[0].directory);
        }
}

void script_open(Script *script) {
        for (size_t i = 0; i < SEATS; i++)
                seat_open(script->seats + i);
}

void script_done(Script *script) {
        for (size_t i = 0; i < SEATS; i++) {
                Seat *seat = script->seats + i;

                if (seat->index)
                        seat_close(seat);
                (void) scratch_free(seat->directory);
        }
        for (size_t i = 0; i < script->n; i++)
                buffer_done(&script->log[i].data);
        free(script->log);
        (void) pthread_cond_destroy(&script->changed);
        (void) pthread_mutex_destroy(&script->lock);
}

static void on_begun(IndexResult result, void *userdata) {
        scratch_done(NULL, result.error);
}

int seat_lead(Seat *seat, uint64_t term) {
        int r;

        seat->script->term = term;
        r = index_begin_to_lead(seat->index, term, on_begun, NULL);
        if (r < 0)
                return r;
        seat_follow(seat);
        return scratch_wait();
}

void assert_alike(Script *script) {
        Checksum first, other;
        uint64_t first_entry, entry;

        assert_int_equal(index_hash(script->seats[0].index, &first, &first_entry), 0);
        for (size_t i = 1; i < SEATS; i++) {
                assert_int_equal(index_hash(script->seats[i].index, &other, &entry), 0);
                assert_int_equal(entry, first_entry);
                assert_memory_equal(&other, &first, sizeof(first));
        }
}

void follow_all(Script *script) {
        for (size_t i = 0; i < SEATS; i++)
                if (script->seats[i].index)
                        seat_follow(script->seats + i);
}
