/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/index/index-internal.h"

#define IDENTITY_STATE  ".identity"
#define IDENTITY_FORMAT 1
#define VERSIONS_STATE  ".versions"
#define MARKS_STATE     ".marks"

static Index *index_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

const IndexIdentity *index_identity(const Index *index) {
        return __atomic_load_n(&index->identity, __ATOMIC_ACQUIRE);
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

typedef struct SetIdentity {
        Operation operation;
        const IndexIdentity *identity;
} SetIdentity;

static int apply_set_identity(Operation *operation, Transaction *transaction) {
        return put_identity(transaction, CONTAINER_OF(operation, SetIdentity, operation)->identity);
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
        SetIdentity set = { .operation.apply = apply_set_identity, .identity = identity };
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

        identity->term++;
        index->identity = identity;
        return environment_run(index->environment, &set.operation);
}

static int set_versions(Transaction *transaction, uint64_t end) {
        uint64_t encoded = htole64(end);

        return transaction_set_state(transaction, VERSIONS_STATE, &encoded, sizeof(encoded));
}

static int decode_versions(const Buffer *buffer, uint64_t *ret) {
        Reader reader = READER(buffer->data, buffer->size);
        uint64_t end = reader_get_u64(&reader);

        if (reader_end(&reader) < 0)
                return -EBADMSG;
        *ret = end;
        return 0;
}

/* Beyond what is stored, which a jump of the same batch may have moved. */
static int apply_extend(Operation *operation, Transaction *transaction) {
        Versions *versions = CONTAINER_OF(operation, Versions, extend);
        Environment *environment = transaction->environment;
        uint64_t end = 1;
        int r;

        r = transaction_get(
                        transaction, environment->state, VERSIONS_STATE, strlen(VERSIONS_STATE),
                        &transaction->scratch);
        if (r >= 0)
                r = decode_versions(&transaction->scratch, &end);
        if (r < 0 && r != -ENOENT)
                return r;

        versions->new_end = end + VERSIONS_BLOCK;
        return set_versions(transaction, versions->new_end);
}

static void on_extended(Operation *operation, int result) {
        Versions *versions = CONTAINER_OF(operation, Versions, extend);

        if (result >= 0 && versions->new_end > atomic_load(&versions->end))
                atomic_store(&versions->end, versions->new_end);
        atomic_store(&versions->is_extending, false);
}

uint64_t index_next_version(Index *index, VersionUse use) {
        Versions *versions = &index->versions;
        uint64_t n = atomic_fetch_add(&versions->next, 1);

        for (;;) {
                uint64_t end = atomic_load(&versions->end);

                if (n + VERSIONS_LOW >= end && !atomic_exchange(&versions->is_extending, true))
                        environment_submit(index->environment, &versions->extend);
                if (n < end)
                        return 2 * n + use;

                /* Half a million versions went by while the disk flushed once. */
                (void) usleep(USEC_PER_MSEC);
        }
}

/* Users of an index without revisions have seen versions as such. */
int index_upgrade(Transaction *transaction, void *userdata) {
        Buffer *scratch = &transaction->scratch;
        uint64_t end;
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, VERSIONS_STATE,
                        strlen(VERSIONS_STATE), scratch);
        if (r >= 0)
                r = decode_versions(scratch, &end);
        if (r < 0)
                return r == -ENOENT ? 0 : transaction_fail(transaction, r);

        transaction->counters[COUNTER_REVISION] = (int64_t) (2 * end);
        return 0;
}

/* Starts where the last run cannot have been. */
static int open_versions(Index *index) {
        Versions *versions = &index->versions;
        _cleanup_(buffer_done) Buffer buffer = {};
        uint64_t next = 1;
        int r;

        r = environment_get_state(index->environment, VERSIONS_STATE, &buffer);
        if (r >= 0)
                r = decode_versions(&buffer, &next);
        if (r < 0 && r != -ENOENT)
                return r;

        versions->extend = (Operation){ .apply = apply_extend, .done = on_extended };
        r = environment_run(index->environment, &versions->extend);
        if (r < 0)
                return r;

        atomic_store(&versions->next, next);
        atomic_store(&versions->end, versions->new_end);
        versions->is_open = true;
        return 0;
}

typedef struct CloseVersions {
        Operation operation;
        uint64_t next;
} CloseVersions;

static int apply_close_versions(Operation *operation, Transaction *transaction) {
        return set_versions(transaction, CONTAINER_OF(operation, CloseVersions, operation)->next);
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

        __atomic_store_n(&marks->changed_usec, clock_realtime(), __ATOMIC_RELAXED);
        buffer_clear(scratch);
        marks_encode(marks, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, MARKS_STATE, scratch->data, scratch->size);
}

int index_put_jump(Transaction *transaction, uint64_t term, uint64_t next) {
        IndexIdentity identity = *index_identity(index_of(transaction));
        int r;

        identity.term = term;
        r = put_identity(transaction, &identity);
        return r < 0 ? r : set_versions(transaction, next + VERSIONS_BLOCK);
}

/* Whoever has just read the old identity still has it; there will not be so many jumps meanwhile
 * that its place is needed. */
void index_jump(Index *index, uint64_t term, uint64_t next) {
        size_t i = (size_t) (index->identity - index->identities + 1) % IDENTITIES;

        index->identities[i] = *index->identity;
        index->identities[i].term = term;
        __atomic_store_n(&index->identity, index->identities + i, __ATOMIC_RELEASE);

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
        CloseVersions close = { .operation.apply = apply_close_versions };

        if (!index->versions.is_open)
                return;

        /* If this fails, the next opening leaves a gap, as after a crash. */
        close.next = atomic_load(&index->versions.next);
        (void) environment_run(index->environment, &close.operation);
}
