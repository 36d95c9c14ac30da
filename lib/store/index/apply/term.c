/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/apply/term.h"

#define IDENTITY_FORMAT 1

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

int term_decode(const Buffer *buffer, IndexIdentity *ret) {
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

int versions_decode(const Buffer *buffer, uint64_t *ret) {
        Reader reader = READER(buffer->data, buffer->size);
        uint64_t end = reader_get_u64(&reader);

        if (reader_end(&reader) < 0)
                return -EBADMSG;
        *ret = end;
        return 0;
}

static int set_versions(Transaction *transaction, uint64_t end) {
        uint64_t encoded = htole64(end);

        return transaction_set_state(transaction, VERSIONS_STATE, &encoded, sizeof(encoded));
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
                r = versions_decode(&transaction->scratch, &end);
        if (r < 0 && r != -ENOENT)
                return r;

        reserve->new_end = end + reserve->count;
        return set_versions(transaction, reserve->new_end);
}

int apply_end_versions(IndexRequest *request, Transaction *transaction) {
        return set_versions(transaction, CONTAINER_OF(request, IndexEndVersions, request)->next);
}

/* The term in the table, which a jump of the same batch may have raised. */
int term_get(Transaction *transaction, IndexIdentity *ret) {
        int r;

        r = transaction_get(
                        transaction, transaction->environment->state, IDENTITY_STATE,
                        strlen(IDENTITY_STATE), &transaction->scratch);
        return r < 0 ? r : term_decode(&transaction->scratch, ret);
}

int term_put_jump(Transaction *transaction, const IndexIdentity *identity, uint64_t next) {
        int r;

        r = put_identity(transaction, identity);
        return r < 0 ? r : set_versions(transaction, next + VERSIONS_BLOCK);
}
