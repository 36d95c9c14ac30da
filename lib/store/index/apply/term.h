/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Term: what an index stores of who it is, and of how far its versions have come. */

#include "store/index/apply/tables.h"
#include "store/index/identity.h"
#include "store/index/request.h"

#define IDENTITY_STATE ".identity"
#define VERSIONS_STATE ".versions"

/* So many versions are reserved at a time. */
#define VERSIONS_BLOCK UINT64_C(1000000)

/* All but the leader, which is not stored. Returns 0, -EBADMSG, or -EPROTONOSUPPORT. */
int term_decode(const Buffer *buffer, IndexIdentity *ret);

/* Up to where versions are reserved; halves of versions, without the lowest bit. Likewise. */
int versions_decode(const Buffer *buffer, uint64_t *ret);

/* The term in the table, which a jump of the same batch may have raised. */
int term_get(Transaction *transaction, IndexIdentity *ret);

/* For a rollback: another term, and versions that go on elsewhere. */
int term_put_jump(Transaction *transaction, const IndexIdentity *identity, uint64_t next);

int apply_begin_term(IndexRequest *request, Transaction *transaction);
int apply_reserve(IndexRequest *request, Transaction *transaction);
int apply_end_versions(IndexRequest *request, Transaction *transaction);
