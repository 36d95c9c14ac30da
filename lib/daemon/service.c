/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/periodic.h"
#include "core/address.h"
#include "core/call/ticket.h"
#include "daemon/service.h"

#define SECRET_SIZE_MAX (64 * KIB)
#define STATUS_SIZE     512
#define STATUS_USEC     (5 * USEC_PER_SEC)
#define STOP_USEC       (10 * USEC_PER_MSEC)
#define DROP_USEC       USEC_PER_SEC

struct Service {
        const ServiceHooks *hooks; /* not owned */
        void *userdata;
        sd_event *event;
        Periodic *status, *watchdog;
        Periodic *stopping; /* from the signal on */
        uint64_t watchdog_usec, stop_usec;
        uint64_t stop_deadline; /* monotonic */
        char told[STATUS_SIZE]; /* the last STATUS= */
};

static int set_nonblocking(int fd) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

static void free_names(char ***names) {
        if (*names)
                for (char **name = *names; *name; name++)
                        free(*name);
        free(*names);
}

/* The name of a socket that the daemon has opened itself and systemd keeps. It has Listen= in it as
 * it was then, since the name is all that comes back with the socket. */
#define KEPT_PREFIX    "listen-"
#define KEPT_NAME_SIZE 256 /* the limit of systemd */

static bool is_kept(const char *name) {
        return strncmp(name, KEPT_PREFIX, strlen(KEPT_PREFIX)) == 0;
}

static bool make_kept_name(const char *listen, char ret[static KEPT_NAME_SIZE]) {
        if (snprintf(ret, KEPT_NAME_SIZE, KEPT_PREFIX "%s", listen) >= KEPT_NAME_SIZE)
                return false;
        for (char *p = ret; *p; p++)
                if (*p == ':') /* which separates names */
                        *p = '_';
        return true;
}

static bool is_listening(int fd) {
        return sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0 &&
               sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

/* A socket unit cannot be without an address, so that of a volume that is not set up has a Unix
 * socket, which is skipped. Returns the descriptor, -ENOENT if none was passed, or another negative
 * errno. */
static int take_passed_socket(bool *ret_is_kept) {
        _cleanup_(free_names) char **names = NULL;
        int n, r, fd = -1;

        n = sd_listen_fds_with_names(0, &names);
        if (n < 0)
                return n;

        for (int i = 0; i < n && fd < 0; i++) {
                int passed = SD_LISTEN_FDS_START + i;
                bool kept = is_kept(names[i]);

                if (kept ? is_listening(passed)
                         : (n == 1 || strcmp(names[i], "http") == 0) &&
                                                    sd_is_socket(passed, AF_UNIX, SOCK_STREAM, 1) <=
                                                                    0) {
                        fd = passed;
                        *ret_is_kept = kept;
                }
        }
        if (fd < 0)
                return -ENOENT;

        r = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOTSOCK;
        r = set_nonblocking(fd);
        return r < 0 ? r : fd;
}

/* Afterwards neither we nor systemd have the socket. The descriptor stays in use, because systemd's
 * are counted. */
static void drop_kept(int fd, const char *name) {
        _cleanup_close_ int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (nothing < 0 || dup3(nothing, fd, O_CLOEXEC) < 0)
                return;
        (void) sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
        (void) sd_notify_barrier(0, DROP_USEC); /* otherwise the port may still be in use */
}

/* A kept socket is used only for the Listen= that it was opened for, and only if no socket unit has
 * passed one. */
static void drop_stale(const char *listen) {
        _cleanup_(free_names) char **names = NULL;
        int n = sd_listen_fds_with_names(0, &names);
        char ours[KEPT_NAME_SIZE];
        bool keep = make_kept_name(listen, ours);

        for (int i = 0; i < n; i++)
                if (strcmp(names[i], "http") == 0 && is_listening(SD_LISTEN_FDS_START + i))
                        keep = false;
        for (int i = 0; i < n; i++)
                if (is_kept(names[i]) && !(keep && strcmp(names[i], ours) == 0))
                        drop_kept(SD_LISTEN_FDS_START + i, names[i]);
}

int service_listen_more(int ret[], size_t max) {
        _cleanup_(free_names) char **names = NULL;
        int n = sd_listen_fds_with_names(0, &names), n_more = 0;
        bool kept;

        for (int i = 0, taken = take_passed_socket(&kept); i < n && taken >= 0; i++) {
                int fd = SD_LISTEN_FDS_START + i, r;

                if (fd == taken || strcmp(names[i], "http") != 0 ||
                    sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) != 0 ||
                    sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                        continue;
                if ((size_t) n_more == max)
                        return -E2BIG;
                r = set_nonblocking(fd);
                if (r < 0)
                        return r;
                ret[n_more++] = fd;
        }
        return n_more;
}

bool service_is_activated(void) {
        bool kept;

        return take_passed_socket(&kept) >= 0 && !kept;
}

static int listen_on(const struct addrinfo *address) {
        _cleanup_close_ int fd = -1;
        int on = 1, off = 0;

        fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (address->ai_family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
                return -errno;
        if (bind(fd, address->ai_addr, address->ai_addrlen) < 0)
                return -errno;
        if (listen(fd, SOMAXCONN) < 0)
                return -errno;

        return TAKE_FD(fd);
}

/* All addresses of the machine means IPv6 with IPv4 in it, or IPv4 where there is no IPv6. */
static int resolve(const char *host, const char *port, int family, struct addrinfo **ret) {
        struct addrinfo hints = {
                .ai_family = family,
                .ai_socktype = SOCK_STREAM,
                .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        };

        switch (getaddrinfo(host, port, &hints, ret)) {
        case 0:
                return 0;
        case EAI_MEMORY:
                return -ENOMEM;
        case EAI_SYSTEM:
                return -errno;
        case EAI_AGAIN:
                return -EAGAIN;
        default:
                return -EINVAL;
        }
}

static int listen_anew(const char *host, const char *port, int family) {
        struct addrinfo *addresses;
        int r;

        r = resolve(host, port, family, &addresses);
        if (r < 0)
                return r;

        r = -EADDRNOTAVAIL;
        for (const struct addrinfo *address = addresses; address && r < 0;
             address = address->ai_next)
                r = listen_on(address);

        freeaddrinfo(addresses);
        return r;
}

/* systemd keeps the socket while the daemon restarts, if the unit says so. */
static void keep(int fd, const char *name) {
        char message[sizeof("FDSTORE=1\nFDNAME=") + KEPT_NAME_SIZE];

        (void) snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
        (void) sd_pid_notify_with_fds(0, 0, message, &fd, 1);
}

int service_listen(const char *listen) {
        char port[sizeof("65535")];
        char name[KEPT_NAME_SIZE];
        const char *reason;
        Address address;
        bool kept;
        int r;

        assert(listen);

        drop_stale(listen);
        r = take_passed_socket(&kept);
        if (r != -ENOENT)
                return r;

        r = address_parse(listen, &address, &reason);
        if (r < 0)
                return r;
        (void) snprintf(port, sizeof(port), "%u", address.port);

        if (*address.host)
                r = listen_anew(address.host, port, AF_UNSPEC);
        else {
                r = listen_anew(NULL, port, AF_INET6);
                if (r == -EAFNOSUPPORT || r == -EINVAL)
                        r = listen_anew(NULL, port, AF_INET);
        }
        if (r >= 0 && make_kept_name(listen, name))
                keep(r, name);
        return r;
}

int service_port(int fd) {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } address;
        socklen_t size = sizeof(address);

        if (getsockname(fd, &address.any, &size) < 0)
                return -errno;

        switch (address.any.sa_family) {
        case AF_INET:
                return ntohs(address.v4.sin_port);
        case AF_INET6:
                return ntohs(address.v6.sin6_port);
        default:
                return -EAFNOSUPPORT;
        }
}

int service_format_address(int fd, char ret[static SERVICE_ADDRESS_SIZE]) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        char host[SERVICE_ADDRESS_SIZE], port[sizeof("65535")];

        if (getsockname(fd, (struct sockaddr *) &address, &size) < 0)
                return -errno;
        if (getnameinfo((struct sockaddr *) &address, size, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return -EAFNOSUPPORT;

        if (snprintf(ret, SERVICE_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                     port) >= SERVICE_ADDRESS_SIZE)
                return -ENOBUFS;
        return 0;
}

static void notify_status(Service *service) {
        char text[STATUS_SIZE] = "";

        if (!service->hooks->status || service->stopping)
                return;

        service->hooks->status(text, sizeof(text), service->userdata);
        if (strcmp(text, service->told) == 0)
                return;

        memcpy(service->told, text, sizeof(text));
        service_notify("STATUS=%s", text);
}

static void on_status(void *userdata) {
        notify_status(userdata);
}

/* If the watchdog is not fed for half of its time, it expires within the other half. */
static void on_watchdog(void *userdata) {
        Service *service = userdata;
        const ServiceHooks *hooks = service->hooks;

        if (!hooks->is_alive || hooks->is_alive(service->watchdog_usec / 2, service->userdata))
                service_notify("WATCHDOG=1");
}

static void on_stop(void *userdata) {
        Service *service = userdata;
        const ServiceHooks *hooks = service->hooks;

        if (!hooks->stop || hooks->stop(service->userdata) ||
            clock_monotonic() >= service->stop_deadline)
                (void) sd_event_exit(service->event, 0);
}

/* A second signal means that somebody does not want to wait. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Service *service = userdata;

        if (service->stopping)
                return sd_event_exit(service->event, 0);

        service->stop_deadline = clock_monotonic() + service->stop_usec;
        if (periodic_new(service->event, STOP_USEC, STOP_USEC, on_stop, service,
                         &service->stopping) < 0)
                (void) sd_event_exit(service->event, 0);
        on_stop(service); /* before it is told, so that who hears it is right */
        service_notify("STOPPING=1\nSTATUS=Waiting for running requests to end");
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Service *service = userdata;

        if (!service->hooks->reload || service->stopping)
                return 0;

        service_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic());
        service->hooks->reload(service->userdata);
        service_notify("READY=1");
        notify_status(service);
        return 0;
}

static int block_signals(void) {
        sigset_t signals;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        return -pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int add_sources(Service *service) {
        sd_event *event = service->event;
        uint64_t usec = 0;
        int r;

        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, service);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGINT, on_signal, service);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, service);
        if (r < 0)
                return r;
        r = periodic_new(event, STATUS_USEC, STATUS_USEC, on_status, service, &service->status);
        if (r < 0)
                return r;

        r = sd_watchdog_enabled(0, &usec);
        if (r <= 0)
                return r;
        service->watchdog_usec = usec;
        return periodic_new(event, 0, usec / 4, on_watchdog, service, &service->watchdog);
}

int service_new(const ServiceHooks *hooks, void *userdata, Service **ret) {
        _cleanup_(service_freep) Service *service = NULL;
        int r;

        assert(hooks);
        assert(ret);

        service = malloc(sizeof(*service));
        if (!service)
                return -ENOMEM;

        *service = (Service){ .hooks = hooks, .userdata = userdata };
        r = block_signals();
        if (r < 0)
                return r;
        r = sd_event_default(&service->event);
        if (r < 0)
                return r;
        r = add_sources(service);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(service);
        return 0;
}

Service *service_free(Service *service) {
        if (!service)
                return NULL;

        (void) periodic_free(service->stopping);
        (void) periodic_free(service->watchdog);
        (void) periodic_free(service->status);
        (void) sd_event_unref(service->event);
        free(service);
        return NULL;
}

sd_event *service_event(Service *service) {
        return service->event;
}

int service_run(Service *service, uint64_t stop_usec) {
        assert(service);

        service->stop_usec = stop_usec;
        service_notify("READY=1");
        notify_status(service);
        return sd_event_loop(service->event);
}

void service_recovering(unsigned percent) {
        service_notify("EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Recovering the database: %u %%",
                       30 * USEC_PER_SEC, percent);
}

/* systemd protects its credentials by the directory they are in, and may show other mode bits for
 * the file. */
static int open_secret(const char *path, bool *ret_is_credential) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_free_ char *credential = NULL;
        int fd;

        if (directory) {
                if (asprintf(&credential, "%s/dkv.secret", directory) < 0) {
                        credential = NULL;
                        return -ENOMEM;
                }

                fd = open(credential, O_RDONLY | O_CLOEXEC);
                if (fd >= 0 || errno != ENOENT) {
                        *ret_is_credential = true;
                        return fd < 0 ? -errno : fd;
                }
        }

        *ret_is_credential = false;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int service_read_secret(const char *path, void **ret_secret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ void *secret = NULL;
        bool is_credential;
        struct stat status;
        ssize_t n;

        assert(path);
        assert(ret_secret);
        assert(ret_size);

        fd = open_secret(path, &is_credential);
        if (fd < 0)
                return fd;
        if (fstat(fd, &status) < 0)
                return -errno;
        if (!is_credential && (status.st_mode & 077) != 0)
                return -EPERM;
        if (status.st_size < SECRET_MIN || status.st_size > (off_t) SECRET_SIZE_MAX)
                return -EINVAL;

        secret = malloc((size_t) status.st_size);
        if (!secret)
                return -ENOMEM;
        n = pread_all(fd, secret, (size_t) status.st_size, 0);
        if (n < 0)
                return (int) n;
        if (n > 0 && ((const char *) secret)[n - 1] == '\n')
                n--;
        if (n < SECRET_MIN)
                return -EINVAL;

        *ret_secret = TAKE_PTR(secret);
        *ret_size = (size_t) n;
        return 0;
}

void service_notify(const char *format, ...) {
        _cleanup_free_ char *state = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&state, format, arguments);
        va_end(arguments);
        if (n < 0) {
                state = NULL;
                return;
        }

        (void) sd_notify(0, state); /* nobody listens outside of systemd */
}
