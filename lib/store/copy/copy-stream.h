/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copy stream: the files of an environment as bytes, on their way from one machine to another.
 *
 * A connection carries frames: a head, which says what is copied, then pieces of the files, in
 * order, then an end. Each frame has a checksum, and each piece says where it belongs, so that it
 * fits in one place of one copy only; the end says how much there was. There is no checksum over
 * all: after a broken connection the copy goes on where the receiver is, and pages that are read
 * for a second time may have changed.
 *
 * The files are the databases of the head, then the logs from where a recovery begins, by number.
 * The last piece of a file says so, and may be empty if a database has become shorter meanwhile.
 * Pure. Numbers are little-endian; what is in the files is in the byte order of the machine. */

#include "base/buffer.h"
#include "core/call/identity.h"
#include "store/format/log-mark.h"

#define COPY_DATABASES_MAX 8
#define COPY_NAME_SIZE     32
#define COPY_PIECE_MAX     (256 * KIB)

typedef struct CopyDatabase {
        char name[COPY_NAME_SIZE];
        uint64_t size; /* whole pages, at least one; or it is shorter by the time that it is read */
} CopyDatabase;

typedef struct CopyHead {
        uint64_t id; /* random; of this copy */
        uint8_t cluster[CLUSTER_ID_SIZE];
        char format[COPY_NAME_SIZE]; /* of the environment */
        uint64_t log_id;
        LogPosition begin; /* of the recovery that makes the databases whole */
        CopyDatabase databases[COPY_DATABASES_MAX];
        uint32_t n_databases;
} CopyHead;

/* The next byte: of file 0 and so on. */
typedef struct CopyPosition {
        uint32_t file;
        uint64_t offset;
} CopyPosition;

typedef struct CopyEnd {
        LogPosition log_end; /* the last log ends there */
        uint64_t n_bytes;    /* in all files */
} CopyEnd;

/* Less than, equal to or greater than 0. */
int copy_position_compare(CopyPosition a, CopyPosition b) _const_;

/* The number of the log that is this file, which is none of the databases. */
uint32_t copy_log_number(const CopyHead *head, uint32_t file);

/* The head has the first MAX names at most, none of them longer than what is there for it. */
void copy_put_head(Buffer *buffer, const CopyHead *head);
void copy_put_piece(
                Buffer *buffer,
                uint64_t id,
                CopyPosition position,
                bool is_last, /* of its file */
                const void *data,
                size_t size);
void copy_put_end(Buffer *buffer, uint64_t id, const CopyEnd *end);

/* What a receiver is told, each thing once and in order, however often it is sent. A negative
 * return ends the connection; that piece has to come once more. */
typedef struct CopyEvents {
        int (*on_head)(void *userdata, const CopyHead *head);
        int (*on_piece)(void *userdata,
                        CopyPosition position,
                        bool is_last,
                        const void *data,
                        size_t size);
        int (*on_end)(void *userdata, const CopyEnd *end);
        void *userdata;
} CopyEvents;

typedef struct CopyParser {
        CopyEvents events;

        /* private */
        Buffer input; /* of a frame that is not whole yet */
        CopyHead head;
        bool has_head;     /* any connection has brought it */
        bool is_connected; /* this one has */
        bool has_end;
        CopyPosition position;
        uint64_t n_bytes;
        uint64_t last_size; /* of the last file that is complete */
        int error;          /* of this connection */
} CopyParser;

void copy_parser_init(CopyParser *parser, const CopyEvents *events);
void copy_parser_done(CopyParser *parser);

/* Another connection begins, at copy_parser_position(). */
void copy_parser_connect(CopyParser *parser);

/* Takes bytes, cut anywhere; keeps no more than a frame. Returns 0; -EBADMSG for what is no such
 * stream or does not fit; -EPROTONOSUPPORT for another version of it, or a machine of another kind;
 * -ESTALE for another copy than before; or what an event returned. The first error sticks until the
 * next connection. */
int copy_parser_feed(CopyParser *parser, const void *data, size_t size);

CopyPosition copy_parser_position(const CopyParser *parser);
bool copy_parser_is_complete(const CopyParser *parser);
