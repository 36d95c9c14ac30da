/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv's events in the journal of this machine. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/events.h"
#include "base/clock.h"
#include "base/event-ids.h"
#include "frame/time-parse.h"

#define FOLLOWED_LINES 10 /* past events that --follow shows */
#define FIELD_PREFIX   "DKV_"

typedef struct EventName {
        const char *id;
        const char *name;
} EventName;

/* clang-format off */
static const EventName event_names[] = {
        { EVENT_VOLUME_NEW,        "volume-new"        },
        { EVENT_VOLUME_ADDED,      "volume-added"      },
        { EVENT_VOLUME_UP,         "volume-up"         },
        { EVENT_VOLUME_DOWN,       "volume-down"       },
        { EVENT_VOLUME_CHANGED,    "volume-changed"    },
        { EVENT_VOLUME_DRAINING,   "volume-draining"   },
        { EVENT_VOLUME_REMOVED,    "volume-removed"    },
        { EVENT_COPIES_CHANGED,    "copies-changed"    },
        { EVENT_MAINTENANCE_BEGAN, "maintenance-began" },
        { EVENT_MAINTENANCE_ENDED, "maintenance-ended" },
        { EVENT_MAP_NOT_STORED,    "map-not-stored"    },
        { EVENT_JOB_ENDED,         "job-ended"         },
        { EVENT_SECRET_MISMATCH,   "secret-mismatch"   },
        { EVENT_CLOCK_WRONG,       "clock-wrong"       },
        { EVENT_SECRET_UNUSABLE,   "secret-unusable"   },
        { EVENT_FOREIGN_STORE,     "foreign-store"     },
        { EVENT_TROUBLE,           "trouble"           },
        { EVENT_TROUBLE_OVER,      "trouble-over"      },
        { EVENT_MASTER_DEPOSED,    "master-deposed"    },
        { EVENT_ROLLBACK_ACCEPTED, "rollback-accepted" },
        { EVENT_RECOVERED,         "recovered"         },
        { EVENT_DISK_NEARLY_FULL,  "disk-nearly-full"  },
        { EVENT_STORE_FAULT,       "store-fault"       },
        { EVENT_STORE_WELL,        "store-well"        },
        { EVENT_CORRUPTION_FOUND,  "corruption-found"  },
        { EVENT_VALUE_LOST,        "value-lost"        },
        { EVENT_STORE_DAMAGED,     "store-damaged"     },
        { EVENT_STORE_INCOMPLETE,  "store-incomplete"  },
        { EVENT_DISK_FAILED,       "disk-failed"       },
        {}
};
/* clang-format on */

typedef struct Event {
        uint64_t usec; /* time of day */
        unsigned priority;
        char *id;
        char *unit;
        char *message;
        Json *fields; /* those of dkv */
} Event;

static void event_done(Event *event) {
        free(event->id);
        free(event->unit);
        free(event->message);
        json_free(event->fields);
}

static void close_journal(sd_journal **journal) {
        sd_journal_close(*journal);
}

static const char *event_name(const Event *event) {
        for (const EventName *name = event_names; name->id; name++)
                if (strcmp(name->id, event->id) == 0)
                        return name->name;

        return event->id;
}

/* Anybody may write to the journal; no control character of theirs reaches the terminal. */
static char *copy_text(const char *data, size_t size) {
        char *text = strndup(data, size);

        for (char *p = text; p && *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = *p == '\n' ? ' ' : '?';
        return text;
}

/* The value of a field, an empty string if the entry does not have it. */
static int get_field(sd_journal *journal, const char *name, char **ret) {
        const char *data;
        size_t size, skip = strlen(name) + 1;
        int r;

        r = sd_journal_get_data(journal, name, (const void **) &data, &size);
        if (r == -ENOENT)
                data = "", size = skip = 0;
        else if (r < 0)
                return r;

        *ret = copy_text(data + skip, size - skip);
        return *ret ? 0 : -ENOMEM;
}

static int get_unit(sd_journal *journal, char **ret) {
        static const char suffix[] = ".service";
        size_t size;
        int r;

        r = get_field(journal, "_SYSTEMD_UNIT", ret);
        if (r < 0)
                return r;
        if (!**ret) { /* not run by systemd */
                free(TAKE_PTR(*ret));
                return get_field(journal, "SYSLOG_IDENTIFIER", ret);
        }

        size = strlen(*ret);
        if (size > strlen(suffix) && strcmp(*ret + size - strlen(suffix), suffix) == 0)
                (*ret)[size - strlen(suffix)] = '\0';
        return 0;
}

static int get_fields(sd_journal *journal, Json **ret) {
        _cleanup_(json_freep) Json *fields = json_new_object();
        const void *data;
        size_t size;

        SD_JOURNAL_FOREACH_DATA(journal, data, size) {
                _cleanup_free_ char *field = NULL;
                char *value;

                if (size < strlen(FIELD_PREFIX) ||
                    memcmp(data, FIELD_PREFIX, strlen(FIELD_PREFIX)) != 0)
                        continue;

                field = copy_text(data, size);
                value = field ? strchr(field, '=') : NULL;
                if (!value)
                        return -ENOMEM;
                *value = '\0';
                json_add_string(fields, field, value + 1);
        }

        *ret = TAKE_PTR(fields);
        return *ret ? 0 : -ENOMEM;
}

static int read_event(sd_journal *journal, Event *event) {
        _cleanup_free_ char *priority = NULL;
        int r;

        r = sd_journal_get_realtime_usec(journal, &event->usec);
        if (r < 0)
                return r;
        r = get_field(journal, "MESSAGE_ID", &event->id);
        if (r < 0)
                return r;
        r = get_field(journal, "MESSAGE", &event->message);
        if (r < 0)
                return r;
        r = get_field(journal, "PRIORITY", &priority);
        if (r < 0)
                return r;
        event->priority = *priority >= '0' && *priority <= '7' ? (unsigned) (*priority - '0')
                                                               : LOG_INFO;

        r = get_unit(journal, &event->unit);
        if (r < 0)
                return r;
        return get_fields(journal, &event->fields);
}

static void print_row(const TableLook *look, Colour colour, const char *cells[static 4]) {
        (void) printf("%s%-19s %-13s %-17s %s%s\n", look->colours ? colour_sequence(colour) : "",
                      cells[0], cells[1], cells[2], cells[3],
                      look->colours ? colour_sequence(COLOUR_NONE) : "");
}

static void print_event(const TableLook *look, const Event *event) {
        Colour colour = event->priority <= LOG_ERR       ? COLOUR_RED
                        : event->priority == LOG_WARNING ? COLOUR_YELLOW
                                                         : COLOUR_NONE;
        time_t seconds = (time_t) (event->usec / USEC_PER_SEC);
        struct tm local = {};
        char when[sizeof("2026-01-02 03:04:05") + 8];

        (void) localtime_r(&seconds, &local);
        if (strftime(when, sizeof(when), "%F %T", &local) == 0)
                when[0] = '\0';
        print_row(look, colour,
                  (const char *[]){ when, *event->unit ? event->unit : "-", event_name(event),
                                    event->message });
}

/* One document for each event, since with --follow there is no last one. */
static int print_event_json(const Context *context, Event *event) {
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        json_add_uint(json, "time", event->usec);
        json_add_string(json, "unit", event->unit);
        json_add_string(json, "event", event_name(event));
        json_add_string(json, "message_id", event->id);
        json_add_uint(json, "priority", event->priority);
        json_add_string(json, "message", event->message);
        json_add(json, "fields", TAKE_PTR(event->fields));

        text = json_format(json, context->output.json == JSON_PRETTY);
        if (!text)
                return -ENOMEM;

        (void) fputs(text, stdout); /* main() checks stdout */
        return 0;
}

/* Prints the events from here to the end. Returns how many there were. */
static int print_events(const Context *context, sd_journal *journal, uint64_t since) {
        TableLook look = output_look(&context->output);
        int n = 0, r;

        while ((r = sd_journal_next(journal)) > 0) {
                _cleanup_(event_done) Event event = {};

                r = read_event(journal, &event);
                if (r < 0)
                        return r;
                if (event.usec < since)
                        continue;

                if (context->output.json == JSON_OFF)
                        print_event(&look, &event);
                else
                        r = print_event_json(context, &event);
                if (r < 0)
                        return r;
                n++;
        }

        return r < 0 ? r : n;
}

static int open_journal(const Context *context, sd_journal **ret) {
        _cleanup_(close_journal) sd_journal *journal = NULL;
        int r;

        r = context->options.directory
                            ? sd_journal_open_directory(&journal, context->options.directory, 0)
                            : sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
        if (r < 0)
                return r;

        for (const EventName *name = event_names; name->id; name++) {
                char match[sizeof("MESSAGE_ID=") + 32];

                (void) snprintf(match, sizeof(match), "MESSAGE_ID=%s", name->id);
                r = sd_journal_add_match(journal, match, 0);
                if (r < 0)
                        return r;
        }
        if (context->options.volume > 0) {
                char match[sizeof("DKV_VOLUME=") + 20];

                (void) snprintf(match, sizeof(match), "DKV_VOLUME=%u",
                                (unsigned) context->options.volume);
                r = sd_journal_add_match(journal, match, 0);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(journal);
        return 0;
}

/* Goes to the first event to show. */
static int seek(const Context *context, sd_journal *journal, uint64_t since) {
        uint64_t lines = context->options.lines;
        int r;

        if (lines == 0 && context->options.follow && since == 0)
                lines = FOLLOWED_LINES;
        if (lines == 0)
                return since > 0 ? sd_journal_seek_realtime_usec(journal, since)
                                 : sd_journal_seek_head(journal);

        r = sd_journal_seek_tail(journal);
        if (r < 0)
                return r;
        /* The first step lands on the last event, so LINES + 1 steps lead to just before the first
         * one. */
        r = sd_journal_previous_skip(journal, lines + 1);
        if (r < 0)
                return r;
        return (uint64_t) r <= lines ? sd_journal_seek_head(journal) : 0;
}

static int show(Context *context, sd_journal *journal, uint64_t since) {
        int n, r;

        r = seek(context, journal, since);
        if (r < 0)
                return r;

        if (!context->options.follow)
                output_page(&context->output);
        if (context->output.json == JSON_OFF && !context->output.no_legend) {
                TableLook look = output_look(&context->output);

                print_row(&look, COLOUR_BOLD,
                          (const char *[]){ "TIME", "UNIT", "EVENT", "MESSAGE" });
        }

        n = print_events(context, journal, since);
        if (n == 0 && !context->options.directory && geteuid() != 0)
                advise("No events; only root and members of group systemd-journal can see the whole journal.");

        while (n >= 0 && context->options.follow) {
                if (fflush(stdout) != 0)
                        return -errno;
                r = sd_journal_wait(journal, UINT64_MAX);
                if (r < 0)
                        return r;
                n = print_events(context, journal, since);
        }
        return n < 0 ? n : 0;
}

int verb_events(int argc, char *argv[], void *userdata) {
        _cleanup_(close_journal) sd_journal *journal = NULL;
        Context *context = userdata;
        uint64_t since = 0;
        int r;

        if (context->options.since &&
            parse_moment(context->options.since, clock_realtime(), &since) < 0)
                return complain_usage(
                                "Invalid time '%s'; valid are '2h ago', '03:04', yesterday or '2026-01-02 03:04'.",
                                context->options.since);
        if (context->connection.host || context->connection.machine ||
            context->connection.sandbox) {
                (void) complain_usage("'events' can read only the journal of this machine.");
                advise("%s",
                       context->connection.sandbox
                                       ? "A sandbox logs its events to *.log in its directory."
                                       : "On another machine: ssh HOST dkvadm events, or "
                                         "machinectl shell CONTAINER /usr/bin/dkvadm events");
                return EXIT_USAGE;
        }

        r = open_journal(context, &journal);
        if (r >= 0)
                r = show(context, journal, since);
        if (r < 0)
                return complain(r, "Failed to read the journal in '%s': %m",
                                context->options.directory
                                                ?: "/var/log/journal and /run/log/journal");
        return 0;
}
