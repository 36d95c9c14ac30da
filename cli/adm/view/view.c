/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/view/view.h"
#include "base/clock.h"
#include "base/file.h"
#include "frame/properties.h"

/* A daemon that does not answer for this long hangs. */
#define TIMEOUT_USEC (5 * USEC_PER_SEC)

#define VOLUME_AT(field) offsetof(VolumeView, field)
#define VIEW_AT(field)   offsetof(View, field)
#define STORE_AT(field)  offsetof(StoreView, field)

#define VIEW_METRIC(field, property, ...)   { property, 't', VIEW_AT(field) },
#define VIEW_TRAFFIC(field, property, ...)  { property, 't', VIEW_AT(traffic.field) },
#define STORE_METRIC(field, property, ...)  { property, 't', STORE_AT(field) },
#define STORE_TRAFFIC(field, property, ...) { property, 't', STORE_AT(traffic.field) },

/* clang-format off */
static const Property volume_properties[] = {
        { "Number",           'u', VOLUME_AT(number)            },
        { "Uuid",             's', VOLUME_AT(uuid)              },
        { "Url",              's', VOLUME_AT(url)               },
        { "Zone",             's', VOLUME_AT(zone)              },
        { "Weight",           'u', VOLUME_AT(weight)            },
        { "State",            's', VOLUME_AT(state)             },
        { "Up",               'b', VOLUME_AT(up)                },
        { "MaintenanceUntil", 't', VOLUME_AT(maintenance_until) },
        { "NearlyFull",       'b', VOLUME_AT(nearly_full)       },
        { "LastSeen",         't', VOLUME_AT(last_seen)         },
        { "DiskFree",         't', VOLUME_AT(disk_free)         },
        { "DiskSize",         't', VOLUME_AT(disk_size)         },
        { "Objects",          't', VOLUME_AT(objects)           },
        { "Bytes",            't', VOLUME_AT(bytes)             },
        { "Pending",          't', VOLUME_AT(pending)           },
        {}
};

static const Property master_properties[] = {
        { "Version",      's', VIEW_AT(version)       },
        { "Directory",    's', VIEW_AT(directory)     },
        { "Listen",       's', VIEW_AT(listen)        },
        { "StartedAt",    't', VIEW_AT(started_at)    },
        { "Epoch",        't', VIEW_AT(epoch)         },
        { "Health",       's', VIEW_AT(health)        },
        { "HealthReason", 's', VIEW_AT(health_reason) },
        { "HealthAdvice", 's', VIEW_AT(health_advice) },
        { "Troubles",     PROPERTY_COMPLEX, VIEW_AT(troubles), &property_troubles },
        { "Copies",       'u', VIEW_AT(copies)        },
        MASTER_METRICS(VIEW_METRIC)
        TRAFFIC_METRICS(VIEW_TRAFFIC)
        {}
};

static const Property store_properties[] = {
        { "Version",       's', STORE_AT(version)        },
        { "Number",        'u', STORE_AT(number)         },
        { "Uuid",          's', STORE_AT(uuid)           },
        { "Directory",     's', STORE_AT(directory)      },
        { "Listen",        's', STORE_AT(listen)         },
        { "Url",           's', STORE_AT(url)            },
        { "Zone",          's', STORE_AT(zone)           },
        { "Master",        's', STORE_AT(master)         },
        { "StartedAt",     't', STORE_AT(started_at)     },
        { "MasterAccepts", 'b', STORE_AT(master_accepts) },
        { "MasterError",   's', STORE_AT(master_error)   },
        { "Pending",       't', STORE_AT(pending)        },
        STORE_METRICS(STORE_METRIC)
        TRAFFIC_METRICS(STORE_TRAFFIC)
        {}
};
/* clang-format on */

/* Two calls in flight at the same time. */
struct ViewQuestion {
        ViewDone on_view;
        void *userdata;
        sd_bus_slot *properties, *objects; /* owned; NULL once answered */
        View *view;                        /* owned; the answers so far */
        sd_bus_error error;
        int result; /* of the first that failed */
};

View *view_free(View *view) {
        if (!view)
                return NULL;

        for (size_t i = 0; i < view->n_volumes; i++)
                properties_done(volume_properties, view->volumes + i);
        free(view->volumes);
        properties_done(master_properties, view);
        free(view);
        return NULL;
}

ViewQuestion *view_question_free(ViewQuestion *question) {
        if (!question)
                return NULL;

        (void) sd_bus_slot_unref(question->properties);
        (void) sd_bus_slot_unref(question->objects);
        (void) view_free(question->view);
        sd_bus_error_free(&question->error);
        free(question);
        return NULL;
}

static int compare_volumes(const void *a, const void *b) {
        const VolumeView *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

static int read_objects(sd_bus_message *message, View *view) {
        int r;

        r = properties_read_objects(
                        message, MASTER_VOLUME_INTERFACE, volume_properties, sizeof(*view->volumes),
                        &view->volumes, &view->n_volumes);
        if (r < 0)
                return r;

        if (view->n_volumes > 0)
                qsort(view->volumes, view->n_volumes, sizeof(*view->volumes), compare_volumes);
        return 0;
}

/* The callback may free the question, so nothing uses it afterwards. */
static void finish_if_answered(ViewQuestion *question) {
        View *view = NULL;

        if (question->properties || question->objects)
                return;

        if (question->result >= 0) {
                question->view->taken = clock_monotonic();
                view = TAKE_PTR(question->view);
        }
        question->on_view(view, question->result, &question->error, question->userdata);
}

static void take_answer(
                ViewQuestion *question,
                sd_bus_message *reply,
                int (*read)(sd_bus_message *reply, View *view)) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int r;

        if (error)
                r = -abs(sd_bus_error_get_errno(error)) ?: -EIO;
        else
                r = read(reply, question->view);

        if (r < 0 && question->result >= 0) {
                question->result = r;
                (void) sd_bus_error_copy(&question->error, error);
        }

        finish_if_answered(question);
}

static int read_master(sd_bus_message *reply, View *view) {
        int r;

        r = properties_read(reply, master_properties, view);
        return r < 0 ? r : properties_complete(master_properties, view);
}

static int on_properties(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        ViewQuestion *question = userdata;

        question->properties = sd_bus_slot_unref(question->properties);
        take_answer(question, reply, read_master);
        return 0;
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *reterr_error) {
        ViewQuestion *question = userdata;

        question->objects = sd_bus_slot_unref(question->objects);
        take_answer(question, reply, read_objects);
        return 0;
}

/* A call that does not start a stopped daemon. */
static int new_call(
                sd_bus *bus,
                const char *name,
                const char *path,
                const char *interface,
                const char *method,
                sd_bus_message **ret) {
        int r;

        r = sd_bus_message_new_method_call(bus, ret, name, path, interface, method);
        return r < 0 ? r : sd_bus_message_set_auto_start(*ret, false);
}

int view_ask(sd_bus *bus, ViewDone on_view, void *userdata, ViewQuestion **ret) {
        _cleanup_(view_question_freep) ViewQuestion *question = calloc(1, sizeof(*question));
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *all = NULL, *objects = NULL;
        int r;

        if (!question)
                return -ENOMEM;

        *question = (ViewQuestion){ .on_view = on_view,
                                    .userdata = userdata,
                                    .view = calloc(1, sizeof(View)) };
        if (!question->view)
                return -ENOMEM;

        r = new_call(bus, MASTER_NAME, MASTER_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                     &all);
        if (r < 0)
                return r;
        r = sd_bus_message_append(all, "s", MASTER_INTERFACE);
        if (r < 0)
                return r;
        r = new_call(bus, MASTER_NAME, MASTER_PATH, "org.freedesktop.DBus.ObjectManager",
                     "GetManagedObjects", &objects);
        if (r < 0)
                return r;

        r = sd_bus_call_async(
                        bus, &question->properties, all, on_properties, question, TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = sd_bus_call_async(bus, &question->objects, objects, on_objects, question, TIMEOUT_USEC);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(question);
        return 0;
}

typedef struct Answer {
        bool there;
        View *view;
        int result;
        sd_bus_error error;
} Answer;

static void on_answer(View *view, int result, const sd_bus_error *error, void *userdata) {
        Answer *answer = userdata;

        *answer = (Answer){ .there = true, .view = view, .result = result };
        (void) sd_bus_error_copy(&answer->error, error);
}

int view_get(sd_bus *bus, sd_bus_error *reterr_error, View **ret) {
        _cleanup_(view_question_freep) ViewQuestion *question = NULL;
        Answer answer = {};
        int r;

        r = view_ask(bus, on_answer, &answer, &question);
        if (r < 0)
                return r;

        while (!answer.there) {
                r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0 || answer.there) /* it returns 0 after a time-out, too */
                        continue;
                r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return r;
        }

        if (answer.result < 0)
                *reterr_error = answer.error;
        else
                *ret = answer.view;

        return answer.result;
}

const VolumeView *view_find(const View *view, uint32_t number) {
        for (size_t i = 0; i < view->n_volumes; i++)
                if (view->volumes[i].number == number)
                        return view->volumes + i;

        return NULL;
}

static int get_store(sd_bus *bus, const char *name, StoreView *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = new_call(bus, name, STORE_PATH, "org.freedesktop.DBus.Properties", "GetAll", &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "s", STORE_INTERFACE);
        if (r < 0)
                return r;
        r = sd_bus_call(bus, call, TIMEOUT_USEC, NULL, &reply);
        if (r < 0)
                return r;

        *ret = (StoreView){};
        r = properties_read(reply, store_properties, ret);
        if (r >= 0)
                r = properties_complete(store_properties, ret);
        if (r < 0)
                properties_done(store_properties, ret);

        return r;
}

static bool is_store_name(const char *name) {
        size_t length = strlen(STORE_NAME_PREFIX);
        uint64_t number;

        return strncmp(name, STORE_NAME_PREFIX, length) == 0 &&
               parse_u64(name + length, UINT32_MAX, &number) >= 0;
}

static int compare_stores(const void *a, const void *b) {
        const StoreView *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

static char **free_names(char **names) {
        for (char **name = names; name && *name; name++)
                free(*name);
        free(names);
        return NULL;
}
DEFINE_CLEANUP(char **, free_names);

int stores_get(sd_bus *bus, StoreView **ret, size_t *ret_n) {
        _cleanup_(free_namesp) char **names = NULL;
        StoreView *stores;
        size_t n_names = 0, n = 0;
        int r;

        r = sd_bus_list_names(bus, &names, NULL);
        if (r < 0)
                return r;

        while (names && names[n_names])
                n_names++;
        stores = calloc(n_names + 1, sizeof(*stores));
        if (!stores)
                return -ENOMEM;

        /* Those that do not answer, or are gone by now, are left out. */
        for (size_t i = 0; i < n_names; i++)
                if (is_store_name(names[i]) && get_store(bus, names[i], stores + n) >= 0)
                        n++;

        qsort(stores, n, sizeof(*stores), compare_stores);
        *ret = stores;
        *ret_n = n;
        return 0;
}

void stores_free(StoreView *stores, size_t n) {
        for (size_t i = 0; i < n; i++)
                properties_done(store_properties, stores + i);
        free(stores);
}
