/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entries fixture: a log of entries with small segments, and a model of what must be in it. What is
 * in an entry follows from its index and its term. */

#include "test.h"

#include "scratch.h"
#include "store/disk/disk.h"
#include "store/entries/entry-log.h"

#define SEGMENT_SIZE  ((uint32_t) (2 * KIB))
#define MODEL_MAX     4096
#define CONTENT_MAX   400
#define WRITE_ENTRIES 32

typedef struct Model {
        uint64_t term, vote;
        uint64_t last;
        uint64_t terms[MODEL_MAX]; /* of each index; those of the base and before it stay */
        uint64_t reset;            /* before this one nothing is there */
        uint64_t compacted;        /* and up to this one nothing has to be */
} Model;

typedef struct Fixture {
        char *directory;
        int dir_fd;
        EntryLog *log;
        Model model;
        Entry entries[WRITE_ENTRIES];
        uint8_t contents[WRITE_ENTRIES][CONTENT_MAX];
} Fixture;

uint32_t make_content(uint64_t index, uint64_t term, uint8_t ret[static CONTENT_MAX]);
EntryType type_of(uint64_t index, uint64_t term);

/* Entries FIRST to LAST of a term; and what comes of that. */
ConsensusWrite make_write(Fixture *fixture, uint64_t first, uint64_t last, uint64_t term);
void model_write(Model *model, const ConsensusWrite *write);

/* What is there is what must be, and it is all there but for what was compacted. Returns NULL, or
 * what is wrong. */
const char *compare(EntryLog *log, const Model *model);

int open_directory(const char *directory);
int open_log(Fixture *fixture);

/* For tests in one process. */
int setup(void **state);
int teardown(void **state);
void assert_same(Fixture *fixture);
/* Votes in a term, unless a later one is known. */
void see_term(Fixture *fixture, uint64_t term);
void write_entries(Fixture *fixture, uint64_t first, uint64_t last, uint64_t term);
void reopen(Fixture *fixture);
const char *path_of(const Fixture *fixture, const char *name);
