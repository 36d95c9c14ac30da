/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "store/index/index-internal.h"
#include "store/index/submit.h"

#define IDENTITY_STATE  ".identity"
#define IDENTITY_FORMAT 1
#define MARKS_STATE     ".marks"

const IndexIdentity *index_identity(const Index *index) {
        return atomic_load(&index->identity);
}

uint64_t index_version_end(const Index *index) {
        return 2 * atomic_load(&index->versions.next);
}

uint64_t index_revision(const Index *index) {
        return atomic_load(&index->durable_revision);
}

uint64_t index_mark(const Index *index, uint32_t volume) {
        return marks_get(&index->marks, volume);
}

static int get_random(void *ret, size_t size) {
        ssize_t n = getrandom(ret, size, 0);

        return n < 0 ? -errno : (size_t) n != size ? -EIO : 0;
}

static int put_identity(Transaction *transaction, const IndexIdentity *identity) {
        Buffer *scratch = &transaction->scratch;

        buffer_clear(scratch);
        buffer_put_u8(scratch, IDENTITY_FORMAT);
        buffer_put(scratch, identity->cluster, sizeof(identity->cluster));
        buffer_put_u64(scratch, identity->term);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, IDENTITY_STATE, scratch->data, scratch->size);
}

int apply_begin_term(IndexRequest *request, Transaction *transaction) {
        const IndexBeginTerm *begin = CONTAINER_OF(request, IndexBeginTerm, request);
        IndexIdentity identity = { .term = begin->term };

        memcpy(identity.cluster, begin->cluster, sizeof(identity.cluster));
        return put_identity(transaction, &identity);
}

static int decode_identity(const Buffer *buffer, IndexIdentity *ret) {
        Reader reader = READER(buffer->data, buffer->size);
        uint8_t format = reader_get_u8(&reader);
        const uint8_t *cluster = reader_get(&reader, sizeof(ret->cluster));
        uint64_t term = reader_get_u64(&reader);

        if (format != IDENTITY_FORMAT && reader_error(&reader) == 0)
                return -EPROTONOSUPPORT;
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        memcpy(ret->cluster, cluster, sizeof(ret->cluster));
        ret->term = term;
        return 0;
}

/* The term is on the disk before anybody hears of it. */
static int begin_term(Index *index) {
        IndexIdentity *identity = index->identities;
        IndexBeginTerm begin = { .cluster = identity->cluster };
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(index->environment, IDENTITY_STATE, &buffer);
        if (r >= 0)
                r = decode_identity(&buffer, identity);
        else if (r == -ENOENT)
                r = get_random(identity->cluster, sizeof(identity->cluster));
        while (r >= 0 && identity->leader == 0)
                r = get_random(&identity->leader, sizeof(identity->leader));
        if (r < 0)
                return r;

        begin.term = ++identity->term;
        atomic_store(&index->identity, identity);
        return index_run(index, REQUEST_BEGIN_TERM, &begin.request);
}

static int set_versions(Transaction *transaction, uint64_t end) {
        uint64_t encoded = htole64(end);

        return transaction_set_state(transaction, VERSIONS_STATE, &encoded, sizeof(encoded));
}

int index_decode_versions(const Buffer *buffer, uint64_t *ret) {
        Reader reader = READER(buffer->data, buffer->size);
        uint64_t end = reader_get_u64(&reader);

        if (reader_end(&reader) < 0)
                return -EBADMSG;
        *ret = end;
        return 0;
}

/* Beyond what is stored, which a jump of the same batch may have moved. */
int apply_reserve(IndexRequest *request, Transaction *transaction) {
        IndexReserve *reserve = CONTAINER_OF(request, IndexReserve, request);
        uint64_t end = 1;
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, VERSIONS_STATE,
                        strlen(VERSIONS_STATE), &transaction->scratch);
        if (r >= 0)
                r = index_decode_versions(&transaction->scratch, &end);
        if (r < 0 && r != -ENOENT)
                return r;

        reserve->new_end = end + reserve->count;
        return set_versions(transaction, reserve->new_end);
}

/* If the outcome is unknown there is a gap, at worst; the next call asks again. */
static void on_reserved(IndexRequest *request, IndexResult result) {
        IndexReserve *reserve = CONTAINER_OF(request, IndexReserve, request);
        Versions *versions = CONTAINER_OF(reserve, Versions, reserve);

        if (result.outcome == INDEX_DONE && reserve->new_end > atomic_load(&versions->end))
                atomic_store(&versions->end, reserve->new_end);
        atomic_store(&versions->is_extending, false);
}

uint64_t index_next_version(Index *index, VersionUse use) {
        Versions *versions = &index->versions;
        uint64_t n = atomic_fetch_add(&versions->next, 1);

        for (;;) {
                uint64_t end = atomic_load(&versions->end);

                if (n + VERSIONS_LOW >= end && !atomic_exchange(&versions->is_extending, true))
                        index_submit(index, REQUEST_RESERVE, &versions->reserve.request);
                if (n < end)
                        return 2 * n + use;

                /* Half a million versions went by while the disk flushed once. */
                (void) usleep(USEC_PER_MSEC);
        }
}

/* Starts where the last run cannot have been. */
static int open_versions(Index *index) {
        Versions *versions = &index->versions;
        _cleanup_(buffer_done) Buffer buffer = {};
        uint64_t next = 1;
        int r;

        r = environment_get_state(index->environment, VERSIONS_STATE, &buffer);
        if (r >= 0)
                r = index_decode_versions(&buffer, &next);
        if (r < 0 && r != -ENOENT)
                return r;

        versions->reserve = (IndexReserve){ .request.done = on_reserved, .count = VERSIONS_BLOCK };
        r = index_run(index, REQUEST_RESERVE, &versions->reserve.request);
        if (r < 0)
                return r;

        atomic_store(&versions->next, next);
        atomic_store(&versions->end, versions->reserve.new_end);
        versions->is_open = true;
        return 0;
}

int apply_end_versions(IndexRequest *request, Transaction *transaction) {
        return set_versions(transaction, CONTAINER_OF(request, IndexEndVersions, request)->next);
}

static int load_marks(Index *index) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(index->environment, MARKS_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return marks_decode(&index->marks, buffer.data, buffer.size);
}

int index_save_marks(Transaction *transaction, void *userdata) {
        Marks *marks = &index_of(transaction)->marks;
        Buffer *scratch = &transaction->scratch;

        if (!marks_have_changed(marks))
                return 0;

        buffer_clear(scratch);
        marks_encode(marks, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, MARKS_STATE, scratch->data, scratch->size);
}

/* The term in the table, which a jump of the same batch may have raised. */
int index_get_term(Transaction *transaction, IndexIdentity *ret) {
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, IDENTITY_STATE,
                        strlen(IDENTITY_STATE), &transaction->scratch);
        return r < 0 ? r : decode_identity(&transaction->scratch, ret);
}

int index_put_jump(Transaction *transaction, const IndexIdentity *identity, uint64_t next) {
        int r;

        r = put_identity(transaction, identity);
        return r < 0 ? r : set_versions(transaction, next + VERSIONS_BLOCK);
}

/* Whoever has just read the old identity still has it; there will not be so many jumps meanwhile
 * that its place is needed. */
void index_jump(Index *index, uint64_t term, uint64_t next) {
        const IndexIdentity *old = atomic_load(&index->identity);
        size_t i = (size_t) (old - index->identities + 1) % IDENTITIES;

        index->identities[i] = *old;
        index->identities[i].term = term;
        atomic_store(&index->identity, index->identities + i);

        atomic_store(&index->versions.next, next);
        atomic_store(&index->versions.end, next + VERSIONS_BLOCK);
}

int index_open_identity(Index *index) {
        int r;

        r = load_marks(index);
        if (r < 0)
                return r;
        r = index_open_rollback(index);
        if (r < 0)
                return r;
        r = open_versions(index);
        if (r < 0)
                return r;
        return begin_term(index);
}

/* A backup that is made now has to know how far the versions have come, to the last one: so that a
 * master on it sees by the numbers of a volume what has been stored since. */
void index_close_identity(Index *index) {
        IndexEndVersions end = {};

        if (!index->versions.is_open)
                return;

        /* If this fails, the next opening leaves a gap, as after a crash. */
        end.next = atomic_load(&index->versions.next);
        (void) index_run(index, REQUEST_END_VERSIONS, &end.request);
}
