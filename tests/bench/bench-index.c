/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures the index: how fast it loads, how large it is, how fast it is read compared with a small
 * one of the same cache, and how long it takes to open after kill -9. Prints JSON.
 *
 * Usage: bench-index DIRECTORY [KEYS [CACHE-MIB]]. The directory must be empty; it is left behind.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/index/index.h"
#include "store/index/storage.h"

#define KEYS_DEFAULT UINT64_C(10000000)
#define KEYS_SMALL   UINT64_C(10000)
#define WINDOW       1024 /* commits on their way */
#define READ_USEC    (5 * USEC_PER_SEC)
#define CRASH_USEC   (20 * USEC_PER_SEC)

typedef struct Load Load;

typedef struct Slot {
        IndexCommit commit;
        Load *load; /* not owned */
        char key[32];
} Slot;

struct Load {
        Index *index;
        uint64_t n_keys;
        uint64_t multiplier; /* of the sequence number: 1 for keys in order */
        atomic_uint_least64_t next;
        atomic_size_t running;
        sem_t end;
        Slot slots[WINDOW];
};

static uint64_t cache_size;

static Index *open_index(const char *directory) {
        IndexOptions options = { .directory = directory, .cache_size = cache_size };
        Index *index;
        int r;

        r = index_open(&options, &index);
        if (r < 0)
                errx(1, "Failed to open the index: %s", strerror(-r));
        return index;
}

static void format_key(uint64_t number, char key[static 32]) {
        (void) snprintf(key, 32, "bench/%08" PRIu64, number);
}

static void submit_next(Slot *slot) {
        Load *load = slot->load;
        uint64_t number = atomic_fetch_add(&load->next, 1);

        if (number >= load->n_keys) {
                if (atomic_fetch_sub(&load->running, 1) == 1)
                        (void) sem_post(&load->end);
                return;
        }

        format_key(number * load->multiplier % load->n_keys, slot->key);
        slot->commit.record.version = index_next_version(load->index, VERSION_DIRECT);
        index_commit(load->index, &slot->commit);
}

static void on_committed(IndexRequest *request, IndexResult result) {
        if (result.error < 0)
                errx(1, "Failed to commit: %s", strerror(-result.error));
        submit_next(CONTAINER_OF(request, Slot, commit.request));
}

/* Commits all keys once. Returns how long it took. */
static uint64_t run_load(Index *index, uint64_t n_keys, uint64_t multiplier) {
        Load *load = calloc(1, sizeof(*load));
        uint64_t start = clock_monotonic();

        load->index = index;
        load->n_keys = n_keys;
        load->multiplier = multiplier;
        load->running = WINDOW;
        (void) sem_init(&load->end, 0, 0);

        for (size_t i = 0; i < WINDOW; i++) {
                Slot *slot = &load->slots[i];

                *slot = (Slot){
                        .load = load,
                        .commit = {
                                .request.done = on_committed,
                                .key = slot->key,
                                .record = {
                                        .size = 1024,
                                        .mtime_usec = clock_realtime(),
                                        .content_type = "",
                                        .metadata = "",
                                        .n_copies = 1,
                                        .copies = { 1 },
                                },
                        },
                };
                submit_next(slot);
        }

        while (sem_wait(&load->end) < 0)
                ; /* interrupted by a signal */
        free(load);
        return clock_monotonic() - start;
}

/* Returns random lookups per second. */
static double run_reads(Index *index, uint64_t n_keys) {
        uint64_t start = clock_monotonic(), now = start, n = 0, x = 1;
        Buffer scratch = {};

        for (; now - start < READ_USEC; now = clock_monotonic())
                for (unsigned i = 0; i < 1000; i++, n++) {
                        char key[32];
                        Record record;

                        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
                        format_key((x >> 33) % n_keys, key);
                        if (index_get(index, key, &scratch, &record) < 0)
                                errx(1, "Failed to read '%s'", key);
                }

        buffer_done(&scratch);
        return (double) n * USEC_PER_SEC / (double) (now - start);
}

static int on_entry(const char *key, const Record *record, void *userdata) {
        return 0;
}

static void fill_cache(Index *index) {
        if (index_scan(index, "", "", SIZE_MAX, on_entry, NULL) < 0)
                errx(1, "Failed to scan");
}

static char *make_path(const char *directory, const char *name) {
        char *path;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                err(1, "Failed to allocate");
        return path;
}

static uint64_t disk_usage(const char *directory, const char *name) {
        _cleanup_free_ char *path = make_path(directory, name);
        struct stat st;

        if (stat(path, &st) < 0)
                err(1, "Failed to stat '%s'", path);
        return (uint64_t) st.st_blocks * 512;
}

/* Overwrites keys in a random order in a child and kills it. Returns how long the next open took.
 */
static uint64_t run_crash(const char *directory, uint64_t n_keys) {
        uint64_t start;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                err(1, "Failed to fork");
        if (pid == 0) {
                Index *index = open_index(directory);

                for (;;)
                        (void) run_load(index, n_keys, 7368787);
        }

        (void) usleep(CRASH_USEC);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);

        start = clock_monotonic();
        index_free(open_index(directory));
        return clock_monotonic() - start;
}

int main(int argc, char *argv[]) {
        uint64_t n_keys = KEYS_DEFAULT, load_usec, open_usec;
        _cleanup_free_ char *small = NULL, *large = NULL;
        double small_reads, large_reads;
        Index *index;

        cache_size = index_default_cache();
        if (argc < 2 || (argc > 2 && parse_u64(argv[2], UINT32_MAX, &n_keys) < 0) ||
            (argc > 3 &&
             (parse_u64(argv[3], UINT32_MAX, &cache_size) < 0 || (cache_size *= MIB) == 0)))
                errx(2, "Usage: %s DIRECTORY [KEYS [CACHE-MIB]]", argv[0]);

        small = make_path(argv[1], "small");
        large = make_path(argv[1], "large");
        if (make_directory(small, 0755) < 0 || make_directory(large, 0755) < 0)
                err(1, "Failed to make '%s'", argv[1]);

        index = open_index(small);
        (void) run_load(index, KEYS_SMALL, 1);
        small_reads = run_reads(index, KEYS_SMALL);
        index_free(index);

        index = open_index(large);
        load_usec = run_load(index, n_keys, 1);
        index_free(index);

        index = open_index(large);
        fill_cache(index);
        large_reads = run_reads(index, n_keys);
        index_free(index);

        (void) printf("{\n  \"keys\": %" PRIu64 ",\n", n_keys);
        (void) printf("  \"cache_bytes\": %" PRIu64 ",\n", cache_size);
        (void) printf("  \"commits_per_second\": %.0f,\n",
                      (double) n_keys * USEC_PER_SEC / (double) load_usec);
        (void) printf("  \"disk_bytes_per_key\": %.1f,\n",
                      (double) disk_usage(large, "index.db") / (double) n_keys);
        (void) printf("  \"reads_per_second_small\": %.0f,\n", small_reads);
        (void) printf("  \"reads_per_second\": %.0f,\n", large_reads);
        (void) printf("  \"reads_ratio\": %.2f,\n", large_reads / small_reads);
        (void) fflush(stdout);

        open_usec = run_crash(large, n_keys);
        (void) printf("  \"open_after_crash_seconds\": %.2f\n}\n",
                      (double) open_usec / USEC_PER_SEC);
        return 0;
}
