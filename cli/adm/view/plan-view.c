/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/plan-view.h"
#include "adm/view/progress.h"
#include "base/clock.h"
#include "bus/bus.h"
#include "frame/format.h"

/* clang-format off */
static const Column move_columns[] = {
        { "FROM",  "source", .right = true },
        { "TO",    "target", .right = true },
        { "KEYS",  "keys",   .right = true },
        { "BYTES", "bytes",  .right = true },
        {}
};

static const Column volume_columns[] = {
        { "VOLUME",     "number",       .right = true },
        { "NOW",        "bytes_before", .right = true },
        { "AFTERWARDS", "bytes_after",  .right = true },
        { "FREE NOW",   "free_before",  .right = true },
        { "AFTERWARDS", "free_after",   .right = true },
        {}
};
/* clang-format on */

void plan_view_done(PlanView *plan) {
        free(plan->moves);
        free(plan->volumes);
        *plan = (PlanView){};
}

static int add_move(sd_bus_message *reply, PlanView *plan) {
        PlanMove *moves = reallocarray(plan->moves, plan->n_moves + 1, sizeof(*moves)), *move;
        int r;

        if (!moves)
                return -ENOMEM;
        plan->moves = moves;
        move = moves + plan->n_moves;

        r = sd_bus_message_read(
                        reply, "(uutt)", &move->source, &move->target, &move->keys, &move->bytes);
        plan->n_moves += r > 0;
        return r;
}

static int add_volume(sd_bus_message *reply, PlanView *plan) {
        PlanVolume *volumes = reallocarray(plan->volumes, plan->n_volumes + 1, sizeof(*volumes)),
                   *volume;
        int r;

        if (!volumes)
                return -ENOMEM;
        plan->volumes = volumes;
        volume = volumes + plan->n_volumes;

        r = sd_bus_message_read(
                        reply, "(uttt)", &volume->number, &volume->before, &volume->after,
                        &volume->free);
        plan->n_volumes += r > 0;
        return r;
}

/* An array of CONTENTS in a variant. */
static int read_array(
                sd_bus_message *reply,
                const char *contents,
                int (*add)(sd_bus_message *reply, PlanView *plan),
                PlanView *plan) {
        char type[16];
        int r;

        (void) snprintf(type, sizeof(type), "a%s", contents);
        r = sd_bus_message_enter_container(reply, 'v', type);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', contents);
        if (r < 0)
                return r;
        while ((r = add(reply, plan)) > 0)
                ;
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(reply);
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(reply);
}

static int on_entry(sd_bus_message *reply, void *userdata) {
        PlanView *plan = userdata;
        const struct {
                const char *name;
                uint64_t *field;
        } numbers[] = {
                { "keys", &plan->keys },         { "bytes", &plan->bytes },
                { "all-keys", &plan->all_keys }, { "lost-keys", &plan->lost_keys },
                { "epoch", &plan->epoch },       { "waits-until", &plan->waits_until },
        };
        const char *name;
        int r;

        r = sd_bus_message_read(reply, "s", &name);
        if (r < 0)
                return r;
        if (strcmp(name, "moves") == 0)
                return read_array(reply, "(uutt)", add_move, plan);
        if (strcmp(name, "volumes") == 0)
                return read_array(reply, "(uttt)", add_volume, plan);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (strcmp(numbers[i].name, name) == 0)
                        return sd_bus_message_read(reply, "v", "t", numbers[i].field);

        return sd_bus_message_skip(reply, "v");
}

int plan_view_read(sd_bus_message *reply, PlanView *ret) {
        PlanView plan = {};
        int r;

        r = bus_read_entries(reply, "sv", on_entry, &plan);
        if (r < 0)
                plan_view_done(&plan);
        else
                *ret = plan;
        return r;
}

static void add_number(Table *table, uint32_t number, const char *none) {
        if (number == 0)
                table_add(table, COLOUR_NONE, json_new_uint(0), "%s", none);
        else
                table_add_uint(table, number);
}

static int move_table_new(const PlanView *plan, Table **ret) {
        Table *table;
        int r;

        r = table_new(move_columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < plan->n_moves; i++) {
                add_number(table, plan->moves[i].source, "-");
                add_number(table, plan->moves[i].target, "deleted");
                table_add_uint(table, plan->moves[i].keys);
                table_add_bytes(table, plan->moves[i].bytes);
        }
        *ret = table;
        return 0;
}

/* Room is taken when values arrive, and given back the grace time after they have left. */
static uint64_t free_after(const PlanVolume *volume) {
        uint64_t sum;

        if (volume->free == UINT64_MAX ||
            __builtin_add_overflow(volume->free, volume->before, &sum))
                return UINT64_MAX;
        return sum > volume->after ? sum - volume->after : 0;
}

static void add_free(Table *table, uint64_t bytes) {
        if (bytes == UINT64_MAX)
                table_add(table, COLOUR_NONE, json_new_uint(bytes), "-");
        else
                table_add_bytes(table, bytes);
}

static int volume_table_new(const PlanView *plan, Table **ret) {
        Table *table;
        int r;

        r = table_new(volume_columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < plan->n_volumes; i++) {
                const PlanVolume *volume = plan->volumes + i;

                table_add_uint(table, volume->number);
                table_add_bytes(table, volume->before);
                table_add_bytes(table, volume->after);
                add_free(table, volume->free);
                add_free(table, free_after(volume));
        }
        *ret = table;
        return 0;
}

static void put_sum(FILE *file, const PlanView *plan, uint64_t rate) {
        char keys[FORMAT_SIZE], all[FORMAT_SIZE], bytes[FORMAT_SIZE], span[FORMAT_SIZE];
        double share = plan->all_keys > 0 ? 100.0 * (double) plan->keys / (double) plan->all_keys
                                          : 0;
        uint64_t now = clock_realtime();

        if (plan->keys == 0)
                (void) fprintf(file, "Nothing to move.\n");
        else if (plan->waits_until > now)
                (void) fprintf(file,
                               "%s of %s %s (%.1f%%) and %s will be moved. The job waits until %s, when old copies are deleted.\n",
                               format_count(keys, plan->keys), format_count(all, plan->all_keys),
                               plural(plan->all_keys, "key", "keys"), share,
                               format_bytes(bytes, plan->bytes),
                               format_time(span, plan->waits_until, now));
        else
                (void) fprintf(file, "%s of %s %s (%.1f%%) and %s will be moved, in about %s.\n",
                               format_count(keys, plan->keys), format_count(all, plan->all_keys),
                               plural(plan->all_keys, "key", "keys"), share,
                               format_bytes(bytes, plan->bytes),
                               format_span(span,
                                           MAX(progress_estimate(plan->keys, plan->bytes, rate),
                                               USEC_PER_SEC)));
        if (plan->lost_keys > 0)
                (void) fprintf(file, "%s %s no other readable copy and would be lost.\n",
                               format_count(keys, plan->lost_keys),
                               plural(plan->lost_keys, "key has", "keys have"));
}

char *plan_view_format(const PlanView *plan, uint64_t rate, const TableLook *look) {
        _cleanup_(table_freep) Table *moves = NULL, *volumes = NULL;
        _cleanup_free_ char *moves_text = NULL, *volumes_text = NULL;
        char *text = NULL;
        size_t size;
        FILE *file;

        if (move_table_new(plan, &moves) < 0 || volume_table_new(plan, &volumes) < 0)
                return NULL;
        moves_text = table_format(moves, look);
        volumes_text = table_format(volumes, look);
        file = moves_text && volumes_text ? open_memstream(&text, &size) : NULL;
        if (!file)
                return NULL;

        if (plan->n_moves > 0)
                (void) fprintf(file, "%s\n%s\n", moves_text, volumes_text);
        put_sum(file, plan, rate);
        if (fclose(file) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

Json *plan_view_to_json(const PlanView *plan, uint64_t rate) {
        _cleanup_(table_freep) Table *moves = NULL, *volumes = NULL;
        _cleanup_(json_freep) Json *json = json_new_object();
        uint64_t usec = progress_estimate(plan->keys, plan->bytes, rate);

        if (move_table_new(plan, &moves) < 0 || volume_table_new(plan, &volumes) < 0)
                return NULL;

        json_add(json, "moves", table_to_json(moves));
        json_add(json, "volumes", table_to_json(volumes));
        json_add_uint(json, "keys", plan->keys);
        json_add_uint(json, "bytes", plan->bytes);
        json_add_uint(json, "all_keys", plan->all_keys);
        json_add_uint(json, "lost_keys", plan->lost_keys);
        json_add_uint(json, "waits_until", plan->waits_until);
        json_add_uint(json, "epoch", plan->epoch);
        json_add_uint(json, "estimated_usec", usec);
        return json_error(json) < 0 ? NULL : TAKE_PTR(json);
}
