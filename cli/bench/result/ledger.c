/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/file.h"
#include "bench/result/ledger.h"

#define LINE_MAX_SIZE (KEY_PATH_SIZE + 64)

struct Ledger {
        int fd;
};

typedef struct Write {
        uint64_t generation;
        uint64_t size;
} Write;

struct LedgerKey {
        UT_hash_handle hh;
        char *name;
        bool acknowledged;
        Write last;        /* the last acknowledged one */
        Write *unanswered; /* attempts without an answer, oldest first; owned */
        size_t n_unanswered;
};

static const char *const verdict_names[_VERDICT_MAX] = {
        [VERDICT_OK] = "ok",     [VERDICT_LOST] = "lost",   [VERDICT_LATE] = "late",
        [VERDICT_TORN] = "torn", [VERDICT_WRONG] = "wrong", [VERDICT_UNREADABLE] = "unreadable",
};

const char *verdict_to_string(Verdict verdict) {
        return verdict_names[verdict];
}

/* Cuts off an unfinished line of a writer that was killed: nothing has happened on account of
 * it. */
static int drop_incomplete_line(int fd) {
        char line[LINE_MAX_SIZE];
        off_t size = lseek(fd, 0, SEEK_END), start = size - MIN(size, (off_t) sizeof(line));
        const char *newline;
        ssize_t n;

        if (size < 0)
                return -errno;

        n = pread_all(fd, line, sizeof(line), (uint64_t) start);
        if (n <= 0)
                return (int) n;

        newline = memrchr(line, '\n', (size_t) n);
        if (newline == line + n - 1)
                return 0;

        return ftruncate(fd, newline ? start + (newline - line) + 1 : start) < 0 ? -errno : 0;
}

int ledger_open(const char *path, Ledger **ret) {
        _cleanup_(ledger_freep) Ledger *ledger = malloc(sizeof(*ledger));
        int r;

        if (!ledger)
                return -ENOMEM;

        *ledger = (Ledger){ .fd = -1 };

        ledger->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (ledger->fd < 0)
                return -errno;

        r = drop_incomplete_line(ledger->fd);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(ledger);
        return 0;
}

Ledger *ledger_free(Ledger *ledger) {
        if (!ledger)
                return NULL;

        closep(&ledger->fd);
        free(ledger);
        return NULL;
}

int ledger_write(Ledger *ledger, LedgerEvent event, const char *key, const Operation *operation) {
        char line[LINE_MAX_SIZE];
        int n = snprintf(
                        line, sizeof(line), "%s%s %" PRIu64 " %" PRIu64 "\n",
                        event == LEDGER_ATTEMPTED ? "?" : "", key, operation->generation,
                        operation->size);

        assert(n > 0 && (size_t) n < sizeof(line));

        /* One write() with O_APPEND, so that lines of several threads do not mix. */
        return write_all(ledger->fd, line, (size_t) n);
}

static LedgerKey *ledger_key_free(LedgerKey *key) {
        if (!key)
                return NULL;

        free(key->name);
        free(key->unanswered);
        free(key);
        return NULL;
}
DEFINE_CLEANUP(LedgerKey *, ledger_key_free);

void ledger_keys_done(LedgerKeys *keys) {
        HASH_CLEAR(hh, keys->by_name);
        for (size_t i = 0; i < keys->n; i++)
                (void) ledger_key_free(keys->items[i]);

        free(keys->items);
        free(keys->names);
        *keys = (LedgerKeys){};
}

/* Makes room for one more element, in steps that double. */
static int grow(void *array, size_t n, size_t element_size) {
        void **pointer = array, *bigger;

        if (n & (n - 1)) /* the array is of the next power of two */
                return 0;

        bigger = reallocarray(*pointer, n > 0 ? 2 * n : 1, element_size);
        if (!bigger)
                return -ENOMEM;

        *pointer = bigger;
        return 0;
}

static int get_key(LedgerKeys *keys, const char *name, LedgerKey **ret) {
        _cleanup_(ledger_key_freep) LedgerKey *key = NULL;

        HASH_FIND_STR(keys->by_name, name, key);
        if (key) {
                *ret = TAKE_PTR(key);
                return 0;
        }

        key = calloc(1, sizeof(*key));
        if (!key)
                return -ENOMEM;
        key->name = strdup(name);
        if (!key->name)
                return -ENOMEM;
        if (grow(&keys->items, keys->n, sizeof(void *)) < 0 ||
            grow(&keys->names, keys->n, sizeof(void *)) < 0)
                return -ENOMEM;

        HASH_ADD_KEYPTR(hh, keys->by_name, key->name, strlen(key->name), key);
        keys->names[keys->n] = key->name;
        keys->items[keys->n++] = key;
        *ret = TAKE_PTR(key);
        return 0;
}

static int add_attempt(LedgerKey *key, const Write *write) {
        if (grow(&key->unanswered, key->n_unanswered, sizeof(*key->unanswered)) < 0)
                return -ENOMEM;

        key->unanswered[key->n_unanswered++] = *write;
        return 0;
}

static void add_acknowledged(LedgerKey *key, const Write *write) {
        for (size_t i = key->n_unanswered; i-- > 0;)
                if (key->unanswered[i].generation == write->generation) {
                        key->unanswered[i] = key->unanswered[--key->n_unanswered];
                        break;
                }

        if (!key->acknowledged || write->generation > key->last.generation)
                key->last = *write;
        key->acknowledged = true;
}

static int read_line(LedgerKeys *keys, char *line) {
        char *save = NULL, *name, *generation, *size;
        bool attempt = *line == '?';
        LedgerKey *key;
        Write write;
        int r;

        name = strtok_r(line + (attempt ? 1 : 0), " ", &save);
        generation = strtok_r(NULL, " ", &save);
        size = strtok_r(NULL, "", &save);
        if (!name || !generation || !size || strlen(name) + 1 >= KEY_PATH_SIZE)
                return -EBADMSG;
        if (parse_u64(generation, UINT64_MAX, &write.generation) < 0 ||
            parse_u64(size, UINT64_MAX, &write.size) < 0)
                return -EBADMSG;

        r = get_key(keys, name, &key);
        if (r < 0)
                return r;
        if (attempt)
                return add_attempt(key, &write);

        add_acknowledged(key, &write);
        return 0;
}

static void closefilep(FILE **file) {
        if (*file)
                (void) fclose(*file);
}

int ledger_read(const char *path, LedgerKeys *ret, size_t *reterr_line) {
        _cleanup_(ledger_keys_done) LedgerKeys keys = {};
        _cleanup_(closefilep) FILE *file = fopen(path, "re");
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0, n_lines = 0;
        ssize_t n;
        int r;

        if (!file)
                return -errno;

        while ((n = getline(&line, &allocated, file)) > 0 && line[n - 1] == '\n') {
                n_lines++;
                line[n - 1] = '\0';
                r = read_line(&keys, line);
                if (r < 0) {
                        *reterr_line = n_lines;
                        return r;
                }
        }
        if (n < 0 && ferror(file))
                return -errno;

        *ret = keys;
        keys = (LedgerKeys){};
        return 0;
}

/* A short value carries no generation, so only its size can be compared. */
static bool is(const Write *write, uint64_t generation, uint64_t size) {
        return write->size == size && (size < VALUE_HEAD_SIZE || write->generation == generation);
}

Verdict ledger_judge(const LedgerKey *key, Outcome outcome, uint64_t generation, uint64_t size) {
        bool late = false;

        if (outcome == OUTCOME_MISSING)
                return key->acknowledged ? VERDICT_LOST : VERDICT_OK;
        if (outcome == OUTCOME_WRONG || outcome == OUTCOME_SHORT)
                return VERDICT_TORN;
        if (outcome != OUTCOME_OK)
                return VERDICT_UNREADABLE;

        if (key->acknowledged && is(&key->last, generation, size))
                return VERDICT_OK;

        for (size_t i = 0; i < key->n_unanswered; i++) {
                if (!is(&key->unanswered[i], generation, size))
                        continue;
                if (!key->acknowledged || key->unanswered[i].generation > key->last.generation)
                        return VERDICT_OK;
                late = true;
        }
        if (late)
                return VERDICT_LATE;

        return key->acknowledged && generation < key->last.generation ? VERDICT_LOST
                                                                      : VERDICT_WRONG;
}
