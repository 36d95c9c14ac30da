/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures an object store: what a small value costs to write and to keep, how soon the space of
 * deleted ones is back, and how long others wait meanwhile. Prints JSON.
 *
 * Usage: bench-objects DIRECTORY [VALUES [SIZE [AT-A-TIME]]]. The directory must be empty; it is
 * left behind. */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/object/objects.h"

#define AT_A_TIME_MAX 256
#define BACK_USEC     (2 * USEC_PER_MIN)

typedef struct Load Load;

typedef struct Slot {
        ObjectPut put;
        ObjectDelete deletion;
        Load *load; /* not owned */
        Buffer object;
        uint64_t submitted_usec;
} Slot;

struct Load {
        ObjectStore *store;
        uint64_t first, n, step; /* versions, and which of them: each, each second one... */
        uint32_t *waits;         /* of each, in µs; owned */
        size_t value_size;
        bool deletes;
        atomic_uint_least64_t next;
        atomic_size_t running;
        sem_t end;
        Slot slots[AT_A_TIME_MAX];
};

static const char *directory;

static uint64_t bytes_written(void) {
        _cleanup_free_ char *text = NULL;
        uint64_t bytes = 0;
        const char *line;

        if (read_file(AT_FDCWD, "/proc/self/io", 4096, &text, NULL) >= 0 &&
            (line = strstr(text, "\nwrite_bytes: ")))
                (void) sscanf(line, "\nwrite_bytes: %" SCNu64, &bytes);
        return bytes;
}

/* Without what a store takes with nothing in it: the log of the database and its double write. */
static uint64_t bytes_kept(void) {
        char command[512];
        uint64_t bytes = 0;
        FILE *du;

        (void) snprintf(command, sizeof(command),
                        "du -s -B1 --exclude='log.*' --exclude='%s/spare' --exclude=pages '%s'",
                        directory, directory);
        du = popen(command, "r");
        if (!du || fscanf(du, "%" SCNu64, &bytes) != 1)
                errx(1, "Failed to run du");
        (void) pclose(du);
        return bytes;
}

static double cpu_usec(void) {
        struct rusage usage;

        (void) getrusage(RUSAGE_SELF, &usage);
        return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
               (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void encode(Slot *slot, uint64_t version) {
        static const uint8_t value[1 * MIB];
        Object object = {
                .record = { .version = version,
                            .size = slot->load->value_size,
                            .checksum = checksum_of(value, slot->load->value_size),
                            .mtime_usec = clock_realtime(),
                            .content_type = "",
                            .metadata = "" },
                .key = "bench/a/key/of/usual/length",
                .is_inline = true,
                .value = value,
        };

        buffer_clear(&slot->object);
        object_encode(&object, &slot->object);
}

static void submit_next(Slot *slot) {
        Load *load = slot->load;
        uint64_t version = atomic_fetch_add(&load->next, load->step);

        if (version >= load->first + load->n) {
                if (atomic_fetch_sub(&load->running, 1) == 1)
                        (void) sem_post(&load->end);
                return;
        }

        slot->submitted_usec = clock_monotonic();
        if (load->deletes) {
                slot->deletion.version = version;
                object_store_delete(load->store, &slot->deletion);
                return;
        }
        encode(slot, version);
        slot->put.data = slot->object.data;
        slot->put.size = slot->object.size;
        object_store_put(load->store, &slot->put);
}

static void check(int result) {
        if (result < 0)
                errx(1, "Failed: %s", strerror(-result));
}

static void on_put(Operation *operation, int result) {
        Slot *slot = CONTAINER_OF(operation, Slot, put.operation);
        Load *load = slot->load;

        check(result);
        load->waits[slot->put.version -
                    load->first] = (uint32_t) (clock_monotonic() - slot->submitted_usec);
        submit_next(slot);
}

static void on_deleted(Operation *operation, int result) {
        check(result);
        submit_next(CONTAINER_OF(operation, Slot, deletion.operation));
}

static void run(Load *load, size_t at_a_time) {
        (void) sem_init(&load->end, 0, 0);
        atomic_store(&load->next, load->first);
        atomic_store(&load->running, at_a_time);
        for (size_t i = 0; i < at_a_time; i++) {
                load->slots[i].load = load;
                load->slots[i].put.operation.done = on_put;
                load->slots[i].deletion.operation.done = on_deleted;
                submit_next(&load->slots[i]);
        }
        while (sem_wait(&load->end) < 0)
                ; /* interrupted by a signal */
}

static int compare_waits(const void *a, const void *b) {
        const uint32_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static void print_waits(const Load *load, const char *what) {
        qsort(load->waits, load->n, sizeof(*load->waits), compare_waits);
        (void) printf("  \"p50_usec%s\": %u,\n  \"p99_usec%s\": %u,\n", what,
                      load->waits[load->n / 2], what, load->waits[load->n * 99 / 100]);
}

static void measure_puts(Load *load, size_t at_a_time) {
        Environment *environment = object_store_environment(load->store);
        uint64_t start = clock_monotonic(), written = bytes_written();
        uint64_t batches = environment_batches(environment);
        double cpu = cpu_usec(), n = (double) load->n;

        run(load, at_a_time);
        batches = environment_batches(environment) - batches;
        (void) printf("  \"usec_per_put\": %.1f,\n  \"cpu_usec_per_put\": %.1f,\n"
                      "  \"puts_per_batch\": %.1f,\n",
                      (double) (clock_monotonic() - start) / n, (cpu_usec() - cpu) / n,
                      n / (double) batches);
        print_waits(load, "");
        load->store = object_store_free(load->store);
        (void) printf("  \"written_per_put\": %.0f,\n  \"kept_per_put\": %.0f",
                      (double) (bytes_written() - written) / n, (double) bytes_kept() / n);
}

/* Others store while half of all is deleted and its space comes back. */
static void measure_waits(Load *load, size_t at_a_time) {
        load->first += load->n;
        load->deletes = false;
        run(load, at_a_time);
        (void) printf(",\n");
        print_waits(load, "_meanwhile");
        load->first -= load->n;
        load->deletes = true;
}

/* Until less is kept than LIMIT. */
static void measure_return(const char *what, uint64_t limit) {
        uint64_t start = clock_monotonic();

        while (bytes_kept() > limit && clock_monotonic() < start + BACK_USEC)
                (void) usleep(500 * USEC_PER_MSEC);
        (void) printf("  \"%s_kept_mib\": %.1f,\n  \"%s_back_sec\": %.1f", what,
                      (double) bytes_kept() / (double) MIB, what,
                      (double) (clock_monotonic() - start) / (double) USEC_PER_SEC);
}

static void open_store(Load *load) {
        ObjectStoreOptions options = { .environment = { .directory = directory,
                                                        .cache_size = 64 * MIB },
                                       .inline_max = 32 * KIB };

        check(object_store_open(&options, &load->store));
}

int main(int argc, char **argv) {
        Load *load = calloc(1, sizeof(*load));
        size_t at_a_time = argc > 4 ? (size_t) atoi(argv[4]) : 32;
        uint64_t size;

        if (argc < 2 || at_a_time > AT_A_TIME_MAX || !load)
                errx(1, "Usage: bench-objects DIRECTORY [VALUES [SIZE [AT-A-TIME]]]");

        directory = argv[1];
        load->n = argc > 2 ? (uint64_t) atoll(argv[2]) : 200000;
        load->value_size = argc > 3 ? (size_t) atoi(argv[3]) : 1024;
        load->first = load->step = 1;
        load->waits = calloc(load->n, sizeof(*load->waits));
        if (!load->waits)
                errx(1, "No memory");
        size = load->n * (load->value_size + load->value_size / 4);

        open_store(load);
        (void) printf("{\n");
        measure_puts(load, at_a_time);

        open_store(load);
        load->deletes = true;
        load->step = 2;
        run(load, at_a_time);
        load->step = 1;
        measure_waits(load, at_a_time);
        measure_return("half", size / 2 + size);
        (void) printf(",\n");
        load->n *= 2; /* all */
        run(load, at_a_time);
        measure_return("none", 32 * MIB);
        (void) printf("\n}\n");

        (void) object_store_free(load->store);
        return 0;
}
