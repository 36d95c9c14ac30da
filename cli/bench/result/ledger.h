/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ledger: a file with two lines for each write: "?KEY GENERATION SIZE" before it is sent, and the
 * same without the question mark once it is acknowledged; keys are percent-encoded. Acknowledged
 * values must be found later, whatever has happened to the servers, and the ledger tells whether
 * they are.
 *
 * Writes of the same key must not overlap; see load_claim_keys(). */

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

/* Reads the file. Returns 0, -EBADMSG for a malformed line, with its number in RETERR_LINE, or
 * another negative errno. A last line without a newline is ignored: its writer was killed before it
 * went on. */
int ledger_read(const char *path, LedgerKeys *ret, size_t *reterr_line);
void ledger_keys_done(LedgerKeys *keys);

typedef enum Verdict {
        VERDICT_OK,
        VERDICT_LOST,  /* gone, or older than the last acknowledged write */
        VERDICT_LATE,  /* an earlier, unanswered write took effect after the acknowledged one */
        VERDICT_TORN,  /* bytes that are not a value of this key, or only part of one */
        VERDICT_WRONG, /* a value that nobody wrote */
        VERDICT_UNREADABLE, /* no conclusive answer */
        _VERDICT_MAX,
} Verdict;

const char *verdict_to_string(Verdict verdict) _const_;

/* Judges the outcome of a verifying GET of the key; GENERATION and SIZE are those of the value that
 * was read, if the outcome is OUTCOME_OK. */
Verdict ledger_judge(const LedgerKey *key, Outcome outcome, uint64_t generation, uint64_t size);
