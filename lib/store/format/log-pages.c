/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "store/format/log-pages.h"

/* Records of Berkeley DB 5.3, in the byte order of this machine. */
enum {
        TYPE_REGISTER = 2, /* gives a file a number */
        TYPE_ALLOCATE = 49,

        PREFIX_SIZE = 4 + 4 + 8, /* type, transaction, previous LSN */

        /* Behind a register's prefix: opcode, name, uid, number, each of name and uid with its size
         * in front. */
        REGISTER_NAME_OFFSET = PREFIX_SIZE + 4,

        /* Behind the other's: file, LSN and number of the meta page, LSN of the page. */
        ALLOCATE_PAGE_OFFSET = PREFIX_SIZE + 4 + 8 + 4 + 8,
};

#define NAME_SIZE 32
#define FILES_MAX 64 /* Berkeley DB starts again at 0 each time it opens */

typedef struct Allocation {
        char name[NAME_SIZE]; /* "" while it is not known */
        uint32_t file;
        uint32_t number;
        LogPosition position;
} Allocation;

struct LogPages {
        char names[FILES_MAX][NAME_SIZE];
        Buffer allocations;
        size_t n_nameless;
};

int log_pages_new(LogPages **ret) {
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

LogPages *log_pages_free(LogPages *pages) {
        if (!pages)
                return NULL;

        buffer_done(&pages->allocations);
        free(pages);
        return NULL;
}

static uint32_t read_u32(const uint8_t *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

/* Returns the offset behind a size and as many bytes, or 0 if they are not there. */
static size_t skip_bytes(const uint8_t *data, size_t size, size_t offset) {
        if (offset == 0 || offset + 4 > size || read_u32(data + offset) > size - offset - 4)
                return 0;
        return offset + 4 + read_u32(data + offset);
}

/* What comes before the first name of a file is of the same one: a checkpoint names all files that
 * are open, but at its end, and the recovery begins where it began. */
static void name_allocations(LogPages *pages, uint32_t file) {
        Allocation *list = (Allocation *) pages->allocations.data;
        size_t n = pages->allocations.size / sizeof(*list);

        for (size_t i = 0; i < n && pages->n_nameless > 0; i++)
                if (list[i].name[0] == '\0' && list[i].file == file) {
                        memcpy(list[i].name, pages->names[file], NAME_SIZE);
                        pages->n_nameless--;
                }
}

static void note_name(LogPages *pages, const uint8_t *data, size_t size) {
        size_t uid, file;
        uint32_t name_size, number;

        uid = skip_bytes(data, size, REGISTER_NAME_OFFSET);
        file = skip_bytes(data, size, uid);
        if (file == 0 || file + 4 > size)
                return;

        number = read_u32(data + file);
        if (number >= FILES_MAX)
                return;

        name_size = read_u32(data + REGISTER_NAME_OFFSET);
        memset(pages->names[number], 0, NAME_SIZE);
        memcpy(pages->names[number], data + REGISTER_NAME_OFFSET + 4,
               MIN(name_size, (uint32_t) NAME_SIZE - 1));
        if (pages->names[number][0] != '\0')
                name_allocations(pages, number);
}

void log_pages_note(LogPosition position, const void *data, size_t size, void *userdata) {
        const uint8_t *bytes = data;
        LogPages *pages = userdata;
        Allocation allocation = { .position = position };

        if (size < PREFIX_SIZE + 4)
                return;
        if (read_u32(bytes) == TYPE_REGISTER)
                note_name(pages, bytes, size);
        if (read_u32(bytes) != TYPE_ALLOCATE || size < ALLOCATE_PAGE_OFFSET + 4 ||
            read_u32(bytes + PREFIX_SIZE) >= FILES_MAX)
                return;

        allocation.file = read_u32(bytes + PREFIX_SIZE);
        memcpy(allocation.name, pages->names[allocation.file], NAME_SIZE);
        allocation.number = read_u32(bytes + ALLOCATE_PAGE_OFFSET);
        buffer_put(&pages->allocations, &allocation, sizeof(allocation));
        pages->n_nameless += allocation.name[0] == '\0';
}

static int compare(const void *a, const void *b) {
        const Allocation *x = a, *y = b;

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        return strcmp(x->name, y->name);
}

int log_pages_complete(LogPages *pages, LogPosition needed) {
        Allocation *list = (Allocation *) pages->allocations.data;
        size_t n = pages->allocations.size / sizeof(*list), kept = 0;

        if (buffer_error(&pages->allocations) < 0)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++)
                if (log_position_compare(list[i].position, needed) >= 0)
                        list[kept++] = list[i];
        pages->allocations.size = kept * sizeof(*list);
        if (kept > 0)
                qsort(list, kept, sizeof(*list), compare);
        return 0;
}

bool log_pages_has(const char *name, uint32_t number, const void *userdata) {
        const LogPages *pages = userdata;
        Allocation wanted = { .number = number };

        memcpy(wanted.name, name, strnlen(name, NAME_SIZE - 1));
        return pages->allocations.size > 0 &&
               bsearch(&wanted, pages->allocations.data, pages->allocations.size / sizeof(wanted),
                       sizeof(wanted), compare);
}
