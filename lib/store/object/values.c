/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "store/disk/members.h"
#include "store/environment/opening.h"
#include "store/object/values.h"

/* What the database has of the log: its id, and up to where its entries are applied. */
#define STATE  ".values"
#define FORMAT 1

void values_init(Values *values) {
        *values = (Values){ .dir_fd = -1 };
        lives_init(&values->lives);
}

void values_done(Values *values) {
        (void) segment_log_free(values->log);
        lives_done(&values->lives);
        buffer_done(&values->item);
        closep(&values->dir_fd);
}

static int save_state(const Values *values, Transaction *transaction) {
        _cleanup_(buffer_done) Buffer state = {};

        buffer_put_u8(&state, FORMAT);
        buffer_put_u64(&state, values->id);
        buffer_put_u32(&state, values->applied.file);
        buffer_put_u32(&state, values->applied.offset);
        if (buffer_error(&state) < 0)
                return transaction_fail(transaction, buffer_error(&state));
        return transaction_set_state(transaction, STATE, state.data, state.size);
}

/* Returns 1 if there is a log, 0 if not, or a negative errno. */
static int load_state(Values *values, Environment *environment) {
        _cleanup_(buffer_done) Buffer state = {};
        Reader reader;
        int r;

        r = environment_get_state(environment, STATE, &state);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(state.data, state.size);
        if (reader_get_u8(&reader) != FORMAT)
                return -EPROTONOSUPPORT;
        values->id = reader_get_u64(&reader);
        values->applied.file = reader_get_u32(&reader);
        values->applied.offset = reader_get_u32(&reader);
        r = reader_end(&reader);
        if (r < 0)
                return r;

        values->stored = values->applied;
        return 1;
}

typedef struct Beginning {
        Operation operation;
        const Values *values;
} Beginning;

static int apply_begin(Operation *operation, Transaction *transaction) {
        return save_state(CONTAINER_OF(operation, Beginning, operation)->values, transaction);
}

/* The directory first: once the database knows of a log, it has to be there. */
static int begin(Values *values, Environment *environment) {
        Beginning beginning = { .operation.apply = apply_begin, .values = values };

        if (getrandom(&values->id, sizeof(values->id), 0) != sizeof(values->id))
                return -errno;
        if (mkdirat(environment->dir_fd, VALUES_DIRECTORY, 0750) < 0 && errno != EEXIST)
                return -errno;
        if (fsync(environment->dir_fd) < 0)
                return -errno;
        return environment_run(environment, &beginning.operation);
}

int values_open(Values *values,
                Environment *environment,
                SegmentLogOnEntry on_entry,
                void *userdata) {
        SegmentLogOptions options = { .segment_size = (uint32_t) environment->options.log_size };
        SegmentLog *log;
        int r;

        r = load_state(values, environment);
        if (r == 0)
                r = begin(values, environment);
        if (r < 0)
                return r;

        r = lives_load(&values->lives, environment);
        if (r < 0)
                return r;

        values->dir_fd = openat(
                        environment->dir_fd, VALUES_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (values->dir_fd < 0)
                return errno == ENOENT ? members_note_missing(VALUES_DIRECTORY) : -errno;

        options.dir_fd = values->dir_fd;
        options.id = values->id;
        r = segment_log_open(&options, values->applied, on_entry, userdata, &log);
        if (r < 0)
                return r;

        values->log = log;
        return 0;
}

int values_read(Values *values, uint64_t version, const Item *item, Buffer *scratch, Encoded *ret) {
        LogEntry entry;
        int r;

        r = segment_log_read(values->log, item->place, item->size, scratch, &entry);
        if (r < 0)
                return r;
        if (entry.tag != version)
                return -EBADMSG;

        *ret = (Encoded){ entry.data, entry.size };
        return 0;
}

void values_note_applied(Values *values, LogPosition at, size_t size) {
        values->applied = (LogPosition){ at.file, at.offset + (uint32_t) entry_size(size) };
}

int values_save(Values *values, Transaction *transaction) {
        int r;

        r = lives_save(&values->lives, transaction);
        if (r < 0 || log_position_compare(values->applied, values->stored) == 0)
                return r;

        return save_state(values, transaction);
}

void values_ended(Values *values, bool committed) {
        lives_ended(&values->lives, committed);
        if (committed)
                values->stored = values->applied;
        else
                values->applied = values->stored;
}

void values_flushed(Values *values) {
        if (!values->is_batch_logged)
                atomic_store(&values->needed, values->stored.file);
}
