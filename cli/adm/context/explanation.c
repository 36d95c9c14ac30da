/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/explanation.h"

/* What to do about an error, by its name on the bus. */
typedef struct Advice {
        const char *error;
        const char *reason; /* replaces the sentence of the bus unless it is NULL */
        const char *system; /* what to do */
        const char *sandbox;
} Advice;

#define NO_MASTER "The master is not running."
#define START \
        "If it belongs here: systemctl start dkv-master.socket dkv-master. If it is on another" \
        " machine: dkvadm -H HOST ..."
#define START_THERE "Start it: dkv-sandbox start DIR"
#define LOOK        "See what it is doing: systemctl status dkv-master; journalctl -u dkv-master -n 50"
#define LOOK_THERE  "See what it is doing: dkv-sandbox status DIR, and its logs"
#define ALLOW       "Try sudo; or allow the polkit action org.dkv.manage-volumes, see dkvadm(8)."
#define ALLOW_THERE "Only the user who owns the sandbox may change it."
#define RELEASE \
        "dkvadm and the master are different releases: compare dkvadm --version and dkvadm status."

/* clang-format off */
static const Advice advices[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN,   NO_MASTER,                         START, START_THERE },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, NO_MASTER,                         START, START_THERE },
        { SD_BUS_ERROR_NO_REPLY,          "The master does not respond.",     LOOK,  LOOK_THERE  },
        { SD_BUS_ERROR_TIMEOUT,           "The master does not respond.",     LOOK,  LOOK_THERE  },
        { SD_BUS_ERROR_ACCESS_DENIED,     NULL,                              ALLOW, ALLOW_THERE },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, NULL,             ALLOW, ALLOW_THERE },
        { SD_BUS_ERROR_UNKNOWN_METHOD,    NULL,                              RELEASE, RELEASE   },
        { SD_BUS_ERROR_UNKNOWN_INTERFACE, NULL,                              RELEASE, RELEASE   },
        { SD_BUS_ERROR_UNKNOWN_PROPERTY,  NULL,                              RELEASE, RELEASE   },
        { "org.dkv.Error.Conflict",       NULL,
          "See what has changed (dkvadm volume list), then try again with the new --epoch= or without it.", NULL },
        { "org.dkv.Error.OutcomeUnknown", NULL,
          "See whether it was done (dkvadm status, dkvadm job list) before you repeat it.", NULL },
        { "org.dkv.Error.NoLeader",       NULL,
          "Try again in a moment; if that does not help, see whether a majority of the masters is up.", NULL },
        { "org.dkv.Error.Internal",       NULL,                              LOOK,  LOOK_THERE  },
        {}
};
/* clang-format on */

static const Advice *find_advice(const char *error) {
        for (const Advice *advice = advices; error && advice->error; advice++)
                if (strcmp(advice->error, error) == 0)
                        return advice;

        return NULL;
}

/* Replaces the first WORD by REPLACEMENT. */
static char *fill_in(const char *text, const char *word, const char *replacement) {
        const char *at = replacement ? strstr(text, word) : NULL;
        char *result;

        if (!at)
                return strdup(text);
        if (asprintf(&result, "%.*s%s%s", (int) (at - text), text, replacement, at + strlen(word)) <
            0)
                return NULL;

        return result;
}

/* Without a bus the state of the daemons is unknown. */
static int explain_bus(Explanation *explanation, const Connection *connection, int error) {
        /* clang-format off */
        const struct {
                const char *name, *reason, *advice;
        } places[] = {
                { connection->host,        "The bus of 'NAME' cannot be reached over ssh",     "Does this work? ssh NAME busctl status org.dkv.Master1" },
                { connection->machine,     "The bus of the container 'NAME' cannot be reached", "Is it running? machinectl status NAME" },
                { connection->sandbox,     "The bus of the sandbox 'NAME' cannot be reached",  "Is it running? dkv-sandbox start NAME" },
                { connection->bus_address, "The bus at 'NAME' cannot be reached",              "" },
                { "",                   "The system bus cannot be reached",
                  "Is it running? systemctl status dbus.socket. For a private cluster: dkvadm --sandbox=DIR ..." },
        };
        /* clang-format on */
        _cleanup_free_ char *reason = NULL;
        size_t i = 0;

        while (!places[i].name)
                i++;
        reason = fill_in(places[i].reason, "NAME", places[i].name);
        explanation->advice = fill_in(places[i].advice, "NAME", places[i].name);
        if (!reason || !explanation->advice)
                return -ENOMEM;

        /* The error of a lost connection only says that it was lost. */
        if (asprintf(&explanation->reason, "%s%s%s.", reason, connection->bus ? "" : ": ",
                     connection->bus ? "" : strerror(abs(error))) < 0) {
                explanation->reason = NULL;
                return -ENOMEM;
        }

        return 0;
}

int explanation_init(
                Explanation *explanation,
                const Connection *connection,
                int error,
                const sd_bus_error *bus_error) {
        const Advice *advice = find_advice(bus_error ? bus_error->name : NULL);
        const char *reason = NULL, *text = "";

        *explanation = (Explanation){};

        if (!connection->bus || sd_bus_is_open(connection->bus) <= 0)
                return explain_bus(explanation, connection, error);

        if (advice) {
                reason = advice->reason;
                text = connection->sandbox && advice->sandbox ? advice->sandbox : advice->system;
        }
        if (!reason && bus_error)
                reason = bus_error->message;
        if (!reason)
                reason = strerror(abs(error));

        explanation->reason = strdup(reason);
        explanation->advice = fill_in(text, "DIR", connection->sandbox);
        return explanation->reason && explanation->advice ? 0 : -ENOMEM;
}

void explanation_done(Explanation *explanation) {
        free(explanation->reason);
        free(explanation->advice);
        *explanation = (Explanation){};
}
