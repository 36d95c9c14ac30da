/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ledger: a file with a line for each write, "KEY GENERATION SIZE" when it was acknowledged and the
 * same behind a '?' before it was sent; keys are percent-encoded. What was acknowledged must be
 * found later, whatever happened to the servers in between, and the ledger says if it is.
 *
 * Writes of one key must not overlap in time; see load_claim_keys(). */

#include "bench/http/connection.h"

typedef struct Ledger Ledger;

typedef enum LedgerEvent {
        LEDGER_ATTEMPTED,
        LEDGER_ACKNOWLEDGED,
} LedgerEvent;

/* Appends to PATH. */
int ledger_open(const char *path, Ledger **ret);
Ledger *ledger_free(Ledger *ledger);
DEFINE_CLEANUP(Ledger *, ledger_free);

/* When it returns 0, the line is in the file; any thread may call it. */
int ledger_write(Ledger *ledger, LedgerEvent event, const char *key, const Operation *operation);

/* What a ledger says about one key. */
typedef struct LedgerKey LedgerKey;

typedef struct LedgerKeys {
        LedgerKey *by_name; /* hash table; owned */
        LedgerKey **items;  /* in the order of their first line */
        char **names;       /* of the items; borrowed from them */
        size_t n;
} LedgerKeys;

/* Reads the file. Returns 0, -EBADMSG for a line of another form (its number is RETERR_LINE; a last
 * line without an end is one that nobody waited for, and ignored), or another negative errno. */
int ledger_read(const char *path, LedgerKeys *ret, size_t *reterr_line);
void ledger_keys_done(LedgerKeys *keys);

typedef enum Verdict {
        VERDICT_OK,
        VERDICT_LOST, /* gone, or older than the last acknowledged write */
        VERDICT_LATE, /* an earlier write that was never answered came after the acknowledged one */
        VERDICT_TORN, /* bytes that are no value of this key, or not all of one */
        VERDICT_WRONG,      /* a value that nobody wrote */
        VERDICT_UNREADABLE, /* no answer that would tell */
        _VERDICT_MAX,
} Verdict;

const char *verdict_to_string(Verdict verdict) _const_;

/* Judges what a verifying GET of the key came back with; GENERATION and SIZE are those of the value
 * that was read, if the outcome is OUTCOME_OK. */
Verdict ledger_judge(const LedgerKey *key, Outcome outcome, uint64_t generation, uint64_t size);
