/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "core/blocks.h"
#include "core/key.h"
#include "store/object/objects-internal.h"
#include "store/object/writer.h"

/* Each time this much has been appended, the kernel is told to start writing, and the free space is
 * checked. */
#define STRIDE (8 * MIB)

/* Below this, allocating room costs more than it is worth. */
#define ALLOCATE_MIN (1 * MIB)

struct ObjectWriter {
        ObjectStore *store; /* not owned */
        Record record;      /* the strings point into STRINGS */
        Buffer strings;
        const char *key;
        uint64_t size_hint;

        Buffer value; /* while it is small */
        int fd;       /* else */
        ChecksumState *checksum;
        BlockSums sums;
        Checksum expected;
        bool is_expecting;
        uint64_t started; /* up to where the kernel writes already */

        /* Finishing: */
        Task task;
        Claim claim;
        ObjectPut put;
        Buffer encoded;
        int result;
        void (*done)(ObjectWriter *writer, int result, void *userdata);
        void *userdata;
};

/* Keeps the strings of the record and the key. */
static int copy_strings(ObjectWriter *writer, const char *key, const Record *record) {
        size_t key_size = strlen(key) + 1, type_size = strlen(record->content_type) + 1;
        Buffer *strings = &writer->strings;

        buffer_put(strings, key, key_size);
        buffer_put(strings, record->content_type, type_size);
        buffer_put(strings, record->metadata, record->metadata_size);
        if (buffer_error(strings) < 0)
                return buffer_error(strings);

        writer->key = (const char *) strings->data;
        writer->record.content_type = writer->key + key_size;
        writer->record.metadata = writer->record.content_type + type_size;
        return 0;
}

static int check_room(ObjectWriter *writer, uint64_t size) {
        uint64_t available;
        int r;

        r = environment_free_space(writer->store->environment, &available, NULL);
        if (r < 0)
                return r;

        return available < size ? -ENOSPC : 0;
}

static int open_file(ObjectWriter *writer) {
        uint64_t size = writer->size_hint;
        bool is_announced = size != UINT64_MAX;
        int r;

        r = check_room(writer, is_announced ? size : STRIDE);
        if (r < 0)
                return r;

        r = checksum_state_new(&writer->checksum);
        if (r < 0)
                return r;

        writer->fd = openat(writer->store->files_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
        if (writer->fd < 0)
                return -errno;

        if (!is_announced || size < ALLOCATE_MIN)
                return 0;
        return object_file_allocate(writer->store, writer->fd, size + blocks_trailer_size(size));
}

int object_writer_new(
                ObjectStore *store,
                const char *key,
                const Record *record,
                uint64_t size_hint,
                ObjectWriter **ret) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        int r;

        assert(store);
        assert(key);
        assert(record);
        assert(ret);

        writer = malloc(sizeof(*writer));
        if (!writer)
                return -ENOMEM;

        *writer = (ObjectWriter){
                .store = store, .record = *record, .size_hint = size_hint, .fd = -1
        };
        writer->record.size = 0;
        writer->record.n_copies = 0;

        r = copy_strings(writer, key, record);
        if (r < 0)
                return r;

        if (size_hint != UINT64_MAX && size_hint > store->inline_max) {
                r = open_file(writer);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(writer);
        return 0;
}

void object_writer_expect(ObjectWriter *writer, const Checksum *checksum) {
        writer->expected = *checksum;
        writer->is_expecting = true;
}

void object_writer_replace(ObjectWriter *writer) {
        writer->claim.is_replacing = writer->put.is_replacing = true;
}

static void destroy(ObjectWriter *writer) {
        closep(&writer->fd); /* a file without a name goes with its last descriptor */
        checksum_state_free(writer->checksum);
        block_sums_done(&writer->sums);
        buffer_done(&writer->value);
        buffer_done(&writer->encoded);
        buffer_done(&writer->strings);
        free(writer);
}

static void run_destroy(Task *task) {
        destroy(CONTAINER_OF(task, ObjectWriter, task));
}

ObjectWriter *object_writer_free(ObjectWriter *writer) {
        if (!writer)
                return NULL;
        if (writer->fd < 0) {
                destroy(writer);
                return NULL;
        }

        /* Giving the blocks of a large file back takes the kernel long. */
        writer->task.run = run_destroy;
        workers_submit(&writer->store->workers, &writer->task);
        return NULL;
}

static int append_to_file(ObjectWriter *writer, const void *data, size_t size) {
        uint64_t end = writer->record.size + size;
        int r;

        checksum_state_update(writer->checksum, data, size);
        block_sums_update(&writer->sums, data, size);
        r = write_all(writer->fd, data, size);
        if (r < 0)
                return r;

        if (end - writer->started < STRIDE)
                return 0;

        /* A hint; if it does not work, the flush at the end takes longer. */
        (void) sync_file_range(
                        writer->fd, (off_t) writer->started, (off_t) (end - writer->started),
                        SYNC_FILE_RANGE_WRITE);
        writer->started = end;

        return writer->size_hint == UINT64_MAX ? check_room(writer, STRIDE) : 0;
}

static int move_to_file(ObjectWriter *writer) {
        int r;

        r = open_file(writer);
        if (r < 0)
                return r;

        checksum_state_update(writer->checksum, writer->value.data, writer->value.size);
        block_sums_update(&writer->sums, writer->value.data, writer->value.size);
        r = write_all(writer->fd, writer->value.data, writer->value.size);
        buffer_done(&writer->value);
        return r;
}

int object_writer_append(ObjectWriter *writer, const void *data, size_t size) {
        int r;

        if (writer->fd < 0 && writer->record.size + size > writer->store->inline_max) {
                r = move_to_file(writer);
                if (r < 0)
                        return r;
        }

        if (writer->fd >= 0)
                r = append_to_file(writer, data, size);
        else {
                buffer_put(&writer->value, data, size);
                r = buffer_error(&writer->value);
        }
        if (r < 0)
                return r;

        writer->record.size += size;
        return 0;
}

const Record *object_writer_record(const ObjectWriter *writer) {
        return &writer->record;
}

static void report(ObjectWriter *writer) {
        writer->done(writer, writer->result, writer->userdata);
}

static void run_report(Task *task) {
        report(CONTAINER_OF(task, ObjectWriter, task));
}

static void on_inline_stored(Operation *operation, int result) {
        ObjectWriter *writer = CONTAINER_OF(operation, ObjectWriter, put.operation);

        writer->result = result;
        report(writer);
}

static void on_file_stored(Operation *operation, int result) {
        ObjectWriter *writer = CONTAINER_OF(operation, ObjectWriter, put.operation);
        ObjectStore *store = writer->store;
        Versions versions = {};

        object_file_unclaim(store, &writer->claim);

        /* No record: nothing may need the name. */
        if (result < 0 && versions_add(&versions, writer->record.version) >= 0)
                object_files_remove(store, &versions);

        writer->result = result;
        report(writer);
}

static int encode(ObjectWriter *writer) {
        Object object = {
                .record = writer->record,
                .key = writer->key,
                .is_inline = writer->fd < 0,
                .value = writer->fd < 0 ? writer->value.data : NULL,
        };

        object_encode(&object, &writer->encoded);
        writer->put.data = writer->encoded.data;
        writer->put.size = writer->encoded.size;
        return buffer_error(&writer->encoded);
}

/* The checksums of the blocks, behind the value. */
static int write_trailer(ObjectWriter *writer) {
        _cleanup_(buffer_done) Buffer trailer = {};
        int r;

        r = block_sums_finish(&writer->sums, writer->record.version, &trailer);
        return r < 0 ? r : write_all(writer->fd, trailer.data, trailer.size);
}

static void submit(ObjectWriter *writer) {
        const Object object = { .record = writer->record, .is_inline = writer->fd < 0 };

        object_put_submit(writer->store, &writer->put, &object);
}

static void run_finish_file(Task *task) {
        ObjectWriter *writer = CONTAINER_OF(task, ObjectWriter, task);

        writer->claim.version = writer->record.version;
        writer->claim.object = &writer->encoded;
        writer->result = write_trailer(writer);
        if (writer->result >= 0)
                writer->result = object_file_link(writer->store, writer->fd, &writer->claim);
        if (writer->result < 0) {
                report(writer);
                return;
        }

        writer->put.operation.done = on_file_stored;
        submit(writer);
}

void object_writer_finish(
                ObjectWriter *writer,
                void (*done)(ObjectWriter *writer, int result, void *userdata),
                void *userdata) {
        writer->done = done;
        writer->userdata = userdata;
        writer->record.checksum = writer->checksum ? checksum_state_final(writer->checksum)
                                                   : checksum_of(writer->value.data,
                                                                 writer->value.size);

        if (writer->is_expecting && !checksum_equal(&writer->record.checksum, &writer->expected))
                writer->result = -EBADMSG;
        else
                writer->result = encode(writer);
        if (writer->result >= 0 && writer->fd < 0) {
                writer->put.operation.done = on_inline_stored;
                submit(writer);
                return;
        }

        writer->task.run = writer->result < 0 ? run_report : run_finish_file;
        workers_submit(&writer->store->workers, &writer->task);
}
