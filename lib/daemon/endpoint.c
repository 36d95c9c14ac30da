/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/event-ids.h"
#include "base/log.h"
#include "daemon/endpoint.h"
#include "daemon/service.h"
#include "rpc/gate.h"

#define CONNECT_TIMEOUT_USEC  (2 * USEC_PER_SEC)
#define SHORT_CONNECTIONS_MAX 64

/* The database, sockets and pipes of the daemon itself, values that are being read or written */
#define DESCRIPTORS_BESIDE 512
#define CONNECTIONS_MIN    8

/* For requests of a daemon that ends because it failed to start or was told twice to stop */
#define CUT_USEC USEC_PER_SEC

#define SOCKETS_MAX 64 /* that systemd may pass */

static const char *what_is_wrong(int error) {
        switch (error) {
        case -ENOENT:
                return "is missing";
        case -EINVAL:
                return "is too short to be one";
        case -EPERM:
                return "can be read by others than its owner";
        default:
                return "cannot be read";
        }
}

/* The daemon can look at the file that systemd makes the credential from only if everybody can. */
static void warn_about_secret(const EndpointConf *conf) {
        struct stat st;

        if (stat(conf->secret_file, &st) >= 0 && (st.st_mode & 077) != 0)
                log_warning("The secret of the cluster in '%s' has the mode %04o, so that others than its owner may "
                            "read it, and who has it can read and change all values: chmod 600 '%s'",
                            conf->secret_file, (unsigned) st.st_mode & 07777, conf->secret_file);
}

static int log_secret(const EndpointConf *conf, int error) {
        log_event(LOG_ERR, EVENT_SECRET_UNUSABLE, NULL,
                  "The secret of the cluster, credential dkv.secret or file '%s', cannot be used: it %s. "
                  "\"dkvadm secret create\" on the master's machine makes one; copy its "
                  "/etc/credstore/dkv.secret to the same place on the volumes' machines (mode 0600), "
                  "and start this service again.",
                  conf->secret_file, what_is_wrong(error));
        return error;
}

/* Nobody's call would ever end. */
static void on_broken(int error) {
        (void) log_error_errno(error, "Aborting, since the loop of an HTTP client failed: %m");
        abort();
}

static int new_client(
                const EndpointConf *conf,
                const void *secret,
                size_t secret_size,
                unsigned connections_max,
                HttpClient **ret) {
        HttpClientOptions options = {
                .connect_timeout_usec = CONNECT_TIMEOUT_USEC,
                .stall_timeout_usec = conf->timeout_usec,
                .connections_max = connections_max,
                .secret = secret,
                .secret_size = secret_size,
                .on_broken = on_broken,
        };

        return http_client_new(&options, ret);
}

int endpoint_connect(
                const EndpointConf *conf,
                Secret **secret,
                HttpClient **client,
                HttpClient **bulk,
                HttpClient **disk) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        r = service_read_secret(conf->secret_file, &data, &size);
        if (r < 0)
                return log_secret(conf, r);
        warn_about_secret(conf);

        /* Each connection of the server may need a call of its own: waiting for one that a stalled
         * client holds would stall others, too. */
        r = secret_new(data, size, secret);
        if (r >= 0)
                r = new_client(conf, data, size, SHORT_CONNECTIONS_MAX, client);
        if (r >= 0)
                r = new_client(conf, data, size,
                               http_server_descriptors((unsigned) conf->connections_max), bulk);
        if (r >= 0 && disk)
                r = new_client(conf, data, size, SHORT_CONNECTIONS_MAX, disk);
        explicit_bzero(data, size);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP client: %m");
        return 0;
}

/* The socket that systemd passed may have another address than the settings say. */
static void log_address(const EndpointConf *conf, int fd) {
        char address[SERVICE_ADDRESS_SIZE];

        if (service_is_activated() && service_format_address(fd, address) >= 0 &&
            strcmp(address, conf->listen) != 0)
                log_info("Serving on %s, which systemd passed; Listen=%s is not used.", address,
                         conf->listen);
}

/* The connections of the server, as many to other daemons for values that pass through, and files.
 */
static uint64_t descriptors_for(uint64_t connections_max) {
        return 2 * (uint64_t) http_server_descriptors((unsigned) connections_max) +
               connections_max + DESCRIPTORS_BESIDE;
}

/* With fewer descriptors than connections, the server could at some point accept nobody, not even
 * daemons of this cluster. So it allows fewer connections then. */
static unsigned choose_connections_max(const EndpointConf *conf) {
        uint64_t max = conf->connections_max;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return (unsigned) max;
        if (limit.rlim_cur < descriptors_for(max)) {
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
        if (descriptors_for(max) <= limit.rlim_cur)
                return (unsigned) max;

        while (max > CONNECTIONS_MIN && descriptors_for(max) > limit.rlim_cur)
                max -= MAX(max / 64, UINT64_C(1));
        log_warning("ConnectionsMax=%" PRIu64 " needs %" PRIu64
                    " file descriptors, and this process may have %" PRIu64 ": serving %" PRIu64
                    " connections at a time; raise LimitNOFILE= of the unit.",
                    conf->connections_max, descriptors_for(conf->connections_max),
                    (uint64_t) limit.rlim_cur, max);
        return (unsigned) max;
}

int endpoint_serve(
                const EndpointConf *conf,
                Loops *loops,
                Secret *secret,
                const HttpRoute routes[],
                void *userdata,
                HttpServer **ret) {
        HttpServerOptions options = {
                .loops = loops,
                .connections_max = choose_connections_max(conf),
                .connections_per_address_max = (unsigned) conf->connections_per_address_max,
                .rate_min = conf->rate_min,
                .cors_origins = conf->cors_origins,
                .cors_redirected = conf->is_redirected_to,
                .header_max = conf->header_size_max,
                .timeout_usec = conf->timeout_usec,
                .routes = routes,
                .gate = gate_of(secret),
                .userdata = userdata,
        };
        int more[SOCKETS_MAX];
        _cleanup_close_ int fd = -1;
        int r, n_more;

        fd = service_listen(conf->listen);
        if (fd < 0)
                return log_error_errno(fd, "Failed to listen on '%s': %m", conf->listen);
        log_address(conf, fd);

        /* A drop-in may have given the socket unit addresses besides that of the settings. */
        n_more = service_listen_more(more, ELEMENTSOF(more));
        if (n_more < 0)
                return log_error_errno(
                                n_more, "Failed to serve on all sockets that systemd passed: %m");

        options.more_fds = more;
        options.n_more = (size_t) n_more;
        options.listen_fd = fd;
        r = http_server_new(&options, ret);
        if (r < 0)
                return log_error_errno(r, "Failed to start the HTTP server: %m");

        TAKE_FD(fd);
        return 0;
}

void endpoint_cut(HttpServer *server, int status) {
        if (!server || http_server_drain(server, CUT_USEC) == 0)
                return;

        log_warning("%u requests did not end in time and are cut.", http_server_active(server));
        _exit(status);
}
