/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "core/blocks.h"
#include "store/object/reader.h"

typedef enum ReaderMode {
        READER_BLOCKS, /* by the checksums behind the value */
        READER_SINGLE, /* the value is one block */
        READER_WHOLE,  /* as it is read; all of it is */
        READER_BLIND,  /* not at all */
} ReaderMode;

struct ObjectReader {
        int fd;
        ReaderMode mode;
        uint64_t version, value_size;
        Checksum checksum;      /* of the whole value */
        uint64_t position, end; /* of what is wanted */
        ChecksumState *so_far;  /* of READER_WHOLE */
        uint8_t *block;         /* what was read and not given out yet; of BLOCK_SIZE if not NULL */
        size_t block_start, block_end;
        int error;
        uint64_t page_number; /* of the page at hand, UINT64_MAX for none */
        uint8_t page[BLOCK_PAGE_SIZE];
};

static int choose_mode(ObjectReader *reader) {
        uint64_t trailer = blocks_trailer_size(reader->value_size);
        bool is_all = reader->position == 0 && reader->end == reader->value_size;
        struct stat st;

        if (fstat(reader->fd, &st) < 0)
                return -errno;

        if (trailer == 0)
                reader->mode = READER_SINGLE;
        else if ((uint64_t) st.st_size == reader->value_size + trailer)
                reader->mode = READER_BLOCKS;
        else
                reader->mode = is_all ? READER_WHOLE : READER_BLIND;

        return reader->mode == READER_WHOLE ? checksum_state_new(&reader->so_far) : 0;
}

int object_reader_new(
                const Object *object,
                int take_fd,
                uint64_t offset,
                uint64_t size,
                ObjectReader **ret) {
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        _cleanup_close_ int fd = take_fd;
        int r;

        assert(offset <= object->record.size && size <= object->record.size - offset);

        reader = malloc(sizeof(*reader));
        if (!reader)
                return -ENOMEM;

        *reader = (ObjectReader){
                .fd = TAKE_FD(fd),
                .version = object->record.version,
                .value_size = object->record.size,
                .checksum = object->record.checksum,
                .position = offset,
                .end = offset + size,
                .page_number = UINT64_MAX,
        };
        r = choose_mode(reader);
        if (r < 0)
                return r;

        if (size > BLOCK_SIZE)
                (void) posix_fadvise(
                                reader->fd, (off_t) offset, (off_t) size,
                                POSIX_FADV_SEQUENTIAL); /* a hint */
        *ret = TAKE_PTR(reader);
        return 0;
}

ObjectReader *object_reader_free(ObjectReader *reader) {
        if (!reader)
                return NULL;

        closep(&reader->fd);
        (void) checksum_state_free(reader->so_far);
        free(reader->block);
        free(reader);
        return NULL;
}

bool object_reader_is_blind(const ObjectReader *reader) {
        return reader->mode == READER_BLIND;
}

/* Reads all of it: what is shorter than it was is damaged. */
static int read_exactly(const ObjectReader *reader, void *data, size_t size, uint64_t offset) {
        ssize_t n = pread_all(reader->fd, data, size, offset);

        return n < 0 ? (int) n : (size_t) n < size ? -EBADMSG : 0;
}

/* The checksum of the whole value tells, when those of the blocks do not: it is they that are
 * damaged. */
static int verify_whole(ObjectReader *reader) {
        int r;

        r = object_file_verify(reader->fd, reader->value_size, &reader->checksum);
        if (r >= 0)
                reader->mode = READER_BLIND;
        return r;
}

/* Returns 1 and the sum, or 0 if it is not needed any more, or a negative errno. */
static int find_sum(ObjectReader *reader, uint64_t block, uint64_t *ret) {
        BlockPlace place = block_place(reader->value_size, block);
        int r;

        if (reader->page_number != place.page) {
                reader->page_number = UINT64_MAX;
                r = read_exactly(
                                reader, reader->page, place.size,
                                reader->value_size + place.offset);
                if (r >= 0)
                        r = block_page_check(reader->page, &place, reader->version);
                if (r == -EBADMSG || r == -EIO)
                        return verify_whole(reader);
                if (r < 0)
                        return r;
                reader->page_number = place.page;
        }

        *ret = block_page_get(reader->page, place.index);
        return 1;
}

static int check_block(ObjectReader *reader, uint64_t block, const void *data, size_t size) {
        Checksum checksum;
        uint64_t sum = 0;
        int r;

        switch (reader->mode) {
        case READER_SINGLE:
                checksum = checksum_of(data, size);
                return checksum_equal(&checksum, &reader->checksum) ? 0 : -EBADMSG;
        case READER_BLOCKS:
                r = find_sum(reader, block, &sum);
                if (r <= 0)
                        return r;
                return block_sum(data, size) == sum ? 0 : -EBADMSG;
        case READER_WHOLE:
                checksum_state_update(reader->so_far, data, size);
                if (block * BLOCK_SIZE + size < reader->value_size)
                        return 0;
                checksum = checksum_state_final(reader->so_far);
                return checksum_equal(&checksum, &reader->checksum) ? 0 : -EBADMSG;
        case READER_BLIND:
                return 0;
        }

        assert(false);
        return -EINVAL;
}

/* Reads the block that the position lies in to DATA, of BLOCK_SIZE bytes. Returns its size. */
static ssize_t read_block(ObjectReader *reader, void *data) {
        uint64_t block = reader->position / BLOCK_SIZE, start = block * BLOCK_SIZE;
        size_t size = (size_t) MIN((uint64_t) BLOCK_SIZE, reader->value_size - start);
        int r;

        r = read_exactly(reader, data, size, start);
        if (r >= 0)
                r = check_block(reader, block, data, size);
        return r < 0 ? r : (ssize_t) size;
}

int object_reader_begin(ObjectReader *reader) {
        size_t offset = (size_t) (reader->position % BLOCK_SIZE);
        ssize_t n;

        if (reader->position == reader->end || reader->block_start < reader->block_end)
                return 0;

        if (!reader->block)
                reader->block = malloc(BLOCK_SIZE);
        if (!reader->block)
                return -ENOMEM;
        n = read_block(reader, reader->block);
        if (n < 0)
                return (int) n;

        reader->block_start = offset;
        reader->block_end = (size_t) MIN((uint64_t) n, offset + (reader->end - reader->position));
        return 0;
}

static size_t give_out(ObjectReader *reader, void *data, size_t size) {
        size_t n = MIN(size, reader->block_end - reader->block_start);

        memcpy(data, reader->block + reader->block_start, n);
        reader->block_start += n;
        reader->position += n;

        /* The rest mostly goes past it. */
        if (reader->block_start == reader->block_end) {
                free(reader->block);
                reader->block = NULL;
        }
        return n;
}

/* How many bytes from the position on are blocks that are wanted as they are, which need no copy:
 * as many as there is room for. */
static size_t count_straight(const ObjectReader *reader, size_t room) {
        uint64_t left = reader->end - reader->position;

        if (reader->block || reader->position % BLOCK_SIZE != 0)
                return 0;

        if (reader->end < reader->value_size)
                left -= left % BLOCK_SIZE;
        return left <= room ? (size_t) left : room - room % BLOCK_SIZE;
}

/* Reads SIZE bytes, as counted above. Returns how many of them are good, or what is wrong with the
 * first block. */
static ssize_t read_blocks(ObjectReader *reader, uint8_t *data, size_t size) {
        int r;

        r = read_exactly(reader, data, size, reader->position);
        if (r < 0 && size > BLOCK_SIZE)
                return read_blocks(reader, data, BLOCK_SIZE);

        for (size_t n, done = 0; r >= 0 && done < size; done += n) {
                n = MIN(size - done, (size_t) BLOCK_SIZE);
                r = check_block(reader, (reader->position + done) / BLOCK_SIZE, data + done, n);
                if (r < 0 && done > 0) {
                        reader->error = r;
                        return (ssize_t) done;
                }
        }
        return r < 0 ? r : (ssize_t) size;
}

static ssize_t read_some(ObjectReader *reader, void *data, size_t size) {
        size_t straight = count_straight(reader, size);
        ssize_t n;
        int r;

        if (straight > 0) {
                n = read_blocks(reader, data, straight);
                if (n > 0)
                        reader->position += (uint64_t) n;
                return n;
        }

        r = object_reader_begin(reader);
        return r < 0 ? r : (ssize_t) give_out(reader, data, size);
}

/* What was read before an error is given out, and the error the next time. */
ssize_t object_reader_read(ObjectReader *reader, void *data, size_t size) {
        size_t done = 0;

        while (done < size && reader->position < reader->end) {
                ssize_t n = reader->error < 0 ? reader->error
                                              : read_some(reader, (uint8_t *) data + done,
                                                          size - done);

                if (n < 0) {
                        reader->error = (int) n;
                        return done > 0 ? (ssize_t) done : n;
                }
                done += (size_t) n;
        }
        return (ssize_t) done;
}
