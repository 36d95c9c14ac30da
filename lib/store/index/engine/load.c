/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/checksum.h"
#include "store/disk/members.h"
#include "store/environment/opening.h"
#include "store/index/engine/dump-internal.h"

/* No key and no value is larger: neither a record nor a blob of state. */
#define ITEM_MAX (64 * MIB)

typedef struct Load {
        Index *index;
        ssize_t (*read)(void *data, size_t size, void *userdata);
        void *userdata;
        ChecksumState *checksum;
        Buffer input; /* what was read; the first POSITION bytes are done with */
        size_t position;

        Operation operation; /* puts a piece of the entries */
        Buffer entries;
        uint64_t n_entries;
} Load;

/* Makes SIZE bytes of input available at the position. */
static int fill(Load *load, size_t size) {
        Buffer *input = &load->input;

        if (input->size - load->position >= size)
                return 0;
        if (load->position > 0) {
                memmove(input->data, input->data + load->position, input->size - load->position);
                input->size -= load->position;
                load->position = 0;
        }

        while (input->size < size) {
                uint8_t piece[16 * KIB];
                ssize_t n = load->read(piece, sizeof(piece), load->userdata);

                if (n <= 0)
                        return n < 0 ? (int) n : -EBADMSG;
                buffer_put(input, piece, (size_t) n);
                if (buffer_error(input) < 0)
                        return buffer_error(input);
        }
        return 0;
}

/* Takes SIZE bytes of the input; they are valid until the next call. */
static int take(Load *load, size_t size, const uint8_t **ret) {
        int r;

        r = fill(load, size);
        if (r < 0)
                return r;
        *ret = load->input.data + load->position;
        load->position += size;
        return 0;
}

/* Likewise, of what the checksum covers. */
static int take_summed(Load *load, size_t size, const uint8_t **ret) {
        int r;

        r = take(load, size, ret);
        if (r >= 0)
                checksum_state_update(load->checksum, *ret, size);
        return r;
}

/* A length, then as many bytes: goes to the entries as it is. */
static int take_bytes(Load *load) {
        uint64_t size = 0;
        const uint8_t *bytes;
        int r;

        for (unsigned shift = 0;; shift += 7) {
                r = take_summed(load, 1, &bytes);
                if (r < 0)
                        return r;
                size |= (uint64_t) (*bytes & 0x7f) << shift;
                if (!(*bytes & 0x80))
                        break;
                if (shift >= 28)
                        return -EBADMSG;
        }
        if (size > ITEM_MAX)
                return -EBADMSG;

        r = take_summed(load, (size_t) size, &bytes);
        if (r < 0)
                return r;
        buffer_put_bytes(&load->entries, bytes, (size_t) size);
        return buffer_error(&load->entries);
}

static int apply_entries(Operation *operation, Transaction *transaction) {
        Load *load = CONTAINER_OF(operation, Load, operation);
        Reader reader = READER(load->entries.data, load->entries.size);

        while (reader.size > 0) {
                uint8_t number = reader_get_u8(&reader);
                DB *table = dump_table(load->index, number);
                size_t key_size, value_size;
                const void *key = reader_get_bytes(&reader, &key_size);
                const void *value = reader_get_bytes(&reader, &value_size);
                int r;

                if (!table || !key || !value || !dump_has(number, key, key_size))
                        return transaction_fail(transaction, -EBADMSG);
                r = transaction_put(transaction, table, key, key_size, value, value_size);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int store_entries(Load *load) {
        int r;

        load->operation = (Operation){ .apply = apply_entries };
        r = environment_run(load->index->tables.environment, &load->operation);
        buffer_clear(&load->entries);
        return MIN(r, 0);
}

static int load_entry(Load *load, uint8_t table) {
        int r;

        if (table >= _DUMP_TABLE_MAX)
                return -EBADMSG;

        buffer_put_u8(&load->entries, table);
        r = take_bytes(load);
        if (r >= 0)
                r = take_bytes(load);
        if (r < 0)
                return r;

        load->n_entries++;
        return load->entries.size >= DUMP_PIECE ? store_entries(load) : 0;
}

/* Behind the mark of the end: the number of the entries, and the checksum; and nothing. */
static int check_end(Load *load) {
        const uint8_t *bytes;
        Checksum sum;
        uint8_t byte;
        Reader reader;
        ssize_t n;
        int r;

        r = take_summed(load, sizeof(uint64_t), &bytes);
        if (r < 0)
                return r;
        reader = READER(bytes, sizeof(uint64_t));
        if (reader_get_u64(&reader) != load->n_entries)
                return -EBADMSG;

        sum = checksum_state_final(load->checksum);
        r = take(load, sizeof(sum.bytes), &bytes);
        if (r < 0)
                return r;
        if (memcmp(bytes, sum.bytes, sizeof(sum.bytes)) != 0 || load->position < load->input.size)
                return -EBADMSG;
        n = load->read(&byte, 1, load->userdata);
        return n > 0 ? -EBADMSG : (int) n;
}

static int load_stream(Load *load) {
        const uint8_t *bytes;
        int r;

        r = take_summed(load, sizeof(DUMP_MAGIC), &bytes);
        if (r < 0)
                return r;
        if (memcmp(bytes, DUMP_MAGIC, sizeof(DUMP_MAGIC)) != 0)
                return -EPROTONOSUPPORT;

        for (;;) {
                uint8_t table;

                r = take_summed(load, 1, &bytes);
                if (r < 0)
                        return r;
                table = *bytes;
                if (table == DUMP_END)
                        break;
                r = load_entry(load, table);
                if (r < 0)
                        return r;
        }
        r = check_end(load);
        return r < 0 ? r : store_entries(load);
}

static int apply_complete(Operation *operation, Transaction *transaction) {
        return transaction_set_state(
                        transaction, DUMP_FORMAT_STATE, INDEX_FORMAT, strlen(INDEX_FORMAT));
}

static int load_into(Index *index, Load *load) {
        Operation complete = { .apply = apply_complete };
        int r;

        load->index = index;
        r = checksum_state_new(&load->checksum);
        if (r >= 0)
                r = load_stream(load);
        if (r >= 0)
                r = environment_run(index->tables.environment, &complete);
        if (r >= 0)
                r = environment_seal(index->tables.environment);

        (void) checksum_state_free(load->checksum);
        buffer_done(&load->input);
        buffer_done(&load->entries);
        return r;
}

static bool is_anything(const char *name) {
        return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_no_list(const char *name) {
        return is_anything(name) && strcmp(name, MEMBERS_FILE) != 0;
}

/* Returns 1 if the directory has anything that IS_SUCH, or 0; removes it if it is not wanted. */
static int look_into(int dir_fd, bool (*is_such)(const char *name), bool remove) {
        struct dirent *entry;
        DIR *directory;
        int fd, r = 0;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        directory = fdopendir(fd);
        if (!directory) {
                closep(&fd);
                return -errno;
        }
        while ((entry = readdir(directory)) != NULL) {
                if (!is_such(entry->d_name))
                        continue;
                r = 1;
                if (remove)
                        (void) unlinkat(dir_fd, entry->d_name, 0);
        }
        (void) closedir(directory);
        return r;
}

/* The list goes last: while it is there, nobody takes the rest for an index. */
static void remove_all(int dir_fd) {
        (void) look_into(dir_fd, is_no_list, true);
        if (look_into(dir_fd, is_no_list, false) == 0)
                (void) look_into(dir_fd, is_anything, true);
}

int index_load(const IndexOptions *options,
               ssize_t (*read)(void *data, size_t size, void *userdata),
               void *userdata) {
        _cleanup_close_ int dir_fd = -1;
        Load load = { .read = read, .userdata = userdata };
        Index *index;
        int r;

        dir_fd = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return -errno;

        r = look_into(dir_fd, is_anything, false);
        if (r != 0)
                return r < 0 ? r : -ENOTEMPTY;

        r = members_begin_load(dir_fd);
        if (r >= 0)
                r = index_open_tables(options, INDEX_FORMAT_LOADING, NULL, &index);
        if (r >= 0) {
                r = load_into(index, &load);
                (void) index_free(index);
        }
        if (r < 0 && r != -EBUSY) /* or it is somebody else's by now */
                remove_all(dir_fd);
        return r;
}
