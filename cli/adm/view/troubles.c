/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "adm/view/troubles.h"

static void trouble_done(TroubleView *trouble) {
        free(trouble->name);
        free(trouble->level);
        free(trouble->sentence);
        free(trouble->advice);
}

static void troubles_done(void *userdata) {
        TroublesView *view = userdata;

        for (size_t i = 0; i < view->n; i++)
                trouble_done(view->items + i);
        free(view->items);
        *view = (TroublesView){};
}

/* Returns 1, 0 at the end, or a negative errno. */
static int read_one(sd_bus_message *message, TroublesView *view) {
        const char *name, *level, *sentence, *advice;
        TroubleView trouble = {}, *items;
        int r;

        r = sd_bus_message_read(
                        message, "(ssutss)", &name, &level, &trouble.volume, &trouble.since,
                        &sentence, &advice);
        if (r <= 0)
                return r;

        items = reallocarray(view->items, view->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        view->items = items;

        trouble.name = strdup(name);
        trouble.level = strdup(level);
        trouble.sentence = strdup(sentence);
        trouble.advice = strdup(advice);
        items[view->n++] = trouble;
        return trouble.name && trouble.level && trouble.sentence && trouble.advice ? 1 : -ENOMEM;
}

static int read_troubles(sd_bus_message *message, void *userdata) {
        TroublesView *view = userdata;
        int r;

        troubles_done(view);
        r = sd_bus_message_enter_container(message, 'a', "(ssutss)");
        if (r < 0)
                return r;
        while ((r = read_one(message, view)) > 0)
                ;
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

const PropertyType property_troubles = { "a(ssutss)", read_troubles, troubles_done };

static void add_one(Json *list, const TroubleView *trouble) {
        Json *json = json_new_object();

        json_add_string(json, "trouble", trouble->name);
        json_add_string(json, "level", trouble->level);
        json_add_uint(json, "volume", trouble->volume);
        json_add_uint(json, "since", trouble->since);
        json_add_string(json, "sentence", trouble->sentence);
        json_add_string(json, "advice", trouble->advice);
        json_append(list, json);
}

Json *troubles_view_to_json(const TroublesView *view) {
        Json *list = json_new_array();

        for (size_t i = 0; i < view->n; i++)
                add_one(list, view->items + i);
        return list;
}
