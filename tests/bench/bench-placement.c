/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures placement, without any I/O: how long it takes to find the volumes of a key, how evenly
 * keys are spread, and how many copies move when a volume is added or deleted, compared with those
 * that have to: what each volume has more than before must have come from others.
 *
 * Usage: bench-placement [VOLUMES]. Without an argument: 10, 100, 1000 and 10000. */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/placement/cluster.h"

#define COPIES       2     /* 1 to this */
#define PER_VOLUME   10000 /* keys, unless that takes too long */
#define KEYS_MAX     UINT64_C(20000000)
#define LOOKS_MAX    UINT64_C(100000000) /* at a volume, of all keys */
#define LOOKUP_LOOKS UINT64_C(20000000)  /* for the time of a lookup */

static Cluster *make_cluster(uint32_t n) {
        Cluster *cluster;

        if (cluster_new(&cluster) < 0)
                err(1, "No memory");
        for (uint32_t number = 1; number <= n; number++)
                if (cluster_add_volume(cluster, number, (uint8_t[16]){}, "", "", 1) < 0 ||
                    cluster_set_state(cluster, number, VOLUME_ACTIVE) < 0)
                        errx(1, "Failed to add volume %" PRIu32, number);
        return cluster;
}

/* With more than one copy, all volumes are looked at for each. */
static uint64_t count_looks(uint32_t n, size_t copies) {
        return copies == 1 ? 1 : n * (copies - 1);
}

static uint64_t count_keys(uint32_t n, size_t copies) {
        uint64_t n_keys = MIN((uint64_t) PER_VOLUME * n, KEYS_MAX);

        return MIN(n_keys, LOOKS_MAX / count_looks(n, copies));
}

/* Stands in for the hash of the i-th key: numbers that are spread as evenly. */
static uint64_t hash_of(uint64_t i) {
        i *= UINT64_C(0x9e3779b97f4a7c15);
        i = (i ^ i >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        i = (i ^ i >> 27) * UINT64_C(0x94d049bb133111eb);
        return i ^ i >> 31;
}

/* Of this process, so that it does not matter what else runs. */
static double cpu_nsec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

static double measure_lookup(const Cluster *cluster, uint64_t n_keys, size_t copies) {
        uint64_t looks = count_looks((uint32_t) cluster->n_volumes, copies);
        uint64_t n = MIN(n_keys, LOOKUP_LOOKS / looks);
        double start = cpu_nsec();
        uint32_t volumes[COPIES_MAX];

        for (uint64_t i = 0; i < n; i++)
                if (cluster_place(cluster, hash_of(i), copies, NULL, NULL, volumes) != copies)
                        errx(1, "A key has no place.");
        return (cpu_nsec() - start) / (double) n;
}

/* Deletes every tenth volume and measures again: what is left of the buckets has holes. */
static double measure_worn(uint32_t n, uint64_t n_keys, size_t copies) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(n);

        for (uint32_t number = 5; number <= n; number += 10)
                (void) cluster_set_state(cluster, number, VOLUME_REMOVED);
        return measure_lookup(cluster, n_keys, copies);
}

static double measure_balance(const Cluster *cluster, uint64_t n_keys, size_t copies) {
        _cleanup_free_ uint64_t *load = calloc(cluster->n_volumes + 1, sizeof(*load));
        uint64_t fullest = 0;

        if (!load)
                err(1, "No memory");
        for (uint64_t i = 0; i < n_keys; i++) {
                uint32_t volumes[COPIES_MAX];
                size_t n = cluster_place(cluster, hash_of(i), copies, NULL, NULL, volumes);

                for (size_t k = 0; k < n; k++) {
                        load[volumes[k]]++;
                        fullest = MAX(fullest, load[volumes[k]]);
                }
        }
        return (double) (fullest * cluster->n_volumes) / (double) (n_keys * copies);
}

typedef struct Moves {
        uint64_t moved, unavoidable;
} Moves;

static size_t count_new(const uint32_t before[], const uint32_t after[], size_t copies) {
        size_t n = 0;

        for (size_t i = 0; i < copies; i++) {
                bool is_new = true;

                for (size_t k = 0; k < copies; k++)
                        is_new = is_new && before[k] != after[i];
                n += is_new;
        }
        return n;
}

static Moves measure_moves(
                const Cluster *before, const Cluster *after, uint64_t n_keys, size_t copies) {
        size_t n_volumes = MAX(before->n_volumes, after->n_volumes);
        _cleanup_free_ int64_t *gain = calloc(n_volumes + 1, sizeof(*gain));
        Moves moves = {};

        if (!gain)
                err(1, "No memory");
        for (uint64_t i = 0; i < n_keys; i++) {
                uint32_t from[COPIES_MAX], to[COPIES_MAX];

                (void) cluster_place(before, hash_of(i), copies, NULL, NULL, from);
                (void) cluster_place(after, hash_of(i), copies, NULL, NULL, to);
                moves.moved += count_new(from, to, copies);
                for (size_t k = 0; k < copies; k++) {
                        gain[from[k]]--;
                        gain[to[k]]++;
                }
        }

        for (size_t i = 0; i <= n_volumes; i++)
                moves.unavoidable += (uint64_t) MAX(gain[i], 0);
        return moves;
}

static void print_moves(Moves moves) {
        if (moves.unavoidable > 0)
                (void) printf("  %8" PRIu64 " %11" PRIu64 " %6.4f", moves.moved, moves.unavoidable,
                              (double) moves.moved / (double) moves.unavoidable);
        else
                (void) printf("  %8" PRIu64 " %11" PRIu64 " %6s", moves.moved, moves.unavoidable,
                              moves.moved == 0 ? "-" : "inf");
}

static void measure(uint32_t n, size_t copies) {
        uint64_t n_keys = count_keys(n, copies);
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(n), *more = make_cluster(n + 1);
        _cleanup_(cluster_freep) Cluster *less = make_cluster(n);

        (void) cluster_set_state(less, n / 2, VOLUME_REMOVED);
        (void) printf("%7" PRIu32 " %6zu %9" PRIu64 " %10.0f %10.0f %8.3f", n, copies, n_keys,
                      measure_lookup(cluster, n_keys, copies), measure_worn(n, n_keys, copies),
                      measure_balance(cluster, n_keys, copies));
        print_moves(measure_moves(cluster, more, n_keys, copies));
        print_moves(measure_moves(cluster, less, n_keys, copies));
        (void) printf("\n");
        (void) fflush(stdout);
}

int main(int argc, char *argv[]) {
        static const uint32_t sizes[] = { 10, 100, 1000, 10000 };
        uint32_t only = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 0;

        if (argc > 2 || (argc == 2 && (only < COPIES + 1 || only >= VOLUME_MAX)))
                errx(2, "Usage: bench-placement [VOLUMES]");

        (void) printf("%36s %10s %8s  %27s  %27s\n", "ns per", "a tenth", "fullest",
                      "------- one added -------", "------ one deleted ------");
        (void) printf("%7s %6s %9s %10s %10s %8s  %8s %11s %6s  %8s %11s %6s\n", "volumes",
                      "copies", "keys", "lookup", "deleted", "/ mean", "moved", "unavoidable",
                      "ratio", "moved", "unavoidable", "ratio");
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                for (size_t copies = 1; copies <= COPIES && (only == 0 || i == 0); copies++)
                        measure(only > 0 ? only : sizes[i], copies);
        return 0;
}
