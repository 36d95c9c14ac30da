/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/key.h"
#include "rpc/gate.h"
#include "rpc/signed-route.h"

#define DAEMONS_PREFIX "/-/"

/* What a client with a ticket may do. */
typedef struct TicketPass {
        Ticket ticket;
        char key[KEY_MAX + 1];
} TicketPass;

/* Returns which ticket a request needs. */
static TicketMethod needed_method(const char *method, const HttpRoute *route) {
        if (strncmp(route->prefix, DAEMONS_PREFIX, strlen(DAEMONS_PREFIX)) == 0)
                return TICKET_COPY;
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
                return TICKET_READ;
        return strcmp(method, "POST") == 0 ? TICKET_POST : TICKET_PUT;
}

static int check_ticket(HttpRequest *request, const HttpRoute *route, Secret *secret) {
        TicketMethod method = needed_method(http_request_method(request), route);
        Signer *signer = secret_signer(secret);
        _cleanup_free_ TicketPass *pass = malloc(sizeof(*pass));
        int r;

        if (!signer || !pass)
                return -ENOMEM;

        /* The key's path begins with the slash that the prefix ends with. */
        r = key_from_path(http_request_path(request) + strlen(route->prefix) - 1, pass->key);
        if (r < 0)
                return r;
        r = ticket_parse(
                        http_request_query(request), method, pass->key,
                        clock_cluster() / USEC_PER_SEC, signer, &pass->ticket);
        if (r < 0)
                return r;
        if (pass->ticket.method != method)
                return -EACCES;

        if (method == TICKET_COPY)
                http_request_trust(request); /* only daemons make such tickets */
        http_request_set_pass(request, TAKE_PTR(pass), free);
        return 0;
}

static int enter(HttpRequest *request, const HttpRoute *route, void *userdata) {
        switch (route->access) {
        case HTTP_PUBLIC:
        case HTTP_CLIENT:
                return 0;
        case HTTP_TICKET:
                return check_ticket(request, route, userdata);
        case HTTP_DAEMON:
                return signed_admit(request, route->prefix, userdata);
        }
        return -EACCES;
}

static int confirm(HttpRequest *request, const HttpRoute *route, void *userdata) {
        return route->access == HTTP_DAEMON ? signed_confirm(request, userdata) : 0;
}

HttpGate gate_of(Secret *secret) {
        return (HttpGate){ .enter = enter, .confirm = confirm, .userdata = secret };
}

const Ticket *gate_ticket(HttpRequest *request) {
        const TicketPass *pass = http_request_pass(request);

        return &pass->ticket;
}

const char *gate_key(HttpRequest *request) {
        const TicketPass *pass = http_request_pass(request);

        return pass->key;
}
