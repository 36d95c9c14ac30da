/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log writer: the thread that writes a member's log. Votes, entries and compactions are carried out
 * in the order in which they are added; entries that wait get to the disk by one write and one
 * flush. While the disk is full it waits, and tries again. */

#include "store/entries/entry-log.h"

typedef struct LogWriter LogWriter;

typedef struct LogProgress {
        uint64_t votes;         /* so many of those that were added are on the disk */
        ConsensusWrite written; /* the last one that is, without its entries; number 0 for none */
        int error;              /* with which it has ended; 0 if it has not */
} LogProgress;

/* LOG is not owned, and nobody else writes it. on_progress() comes on the thread of the writer, and
 * must not wait for it. Returns 0, -ENOMEM, or why there is no thread. */
int log_writer_new(
                EntryLog *log,
                void (*on_progress)(void *userdata),
                void *userdata,
                LogWriter **ret);

/* Carries out what was begun, unless the disk is full. Accepts NULL. */
LogWriter *log_writer_free(LogWriter *writer);
DEFINE_CLEANUP(LogWriter *, log_writer_free);

/* What is added is carried out from the next log_writer_begin() on. Entries are copied. Returns 0
 * or -ENOMEM. Thread: one at a time. */
int log_writer_vote(LogWriter *writer, uint64_t term, uint64_t vote);
int log_writer_write(LogWriter *writer, const ConsensusWrite *write);
int log_writer_compact(LogWriter *writer, uint64_t index);
void log_writer_begin(LogWriter *writer);

/* Thread: any. */
void log_writer_progress(LogWriter *writer, LogProgress *ret);

/* How much memory is taken by what is not on the disk yet, in bytes. Thread: any. */
size_t log_writer_backlog(const LogWriter *writer);
