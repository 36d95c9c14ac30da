/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/machine/volume-file.h"
#include "adm/machine/volume-place.h"
#include "base/file.h"
#include "core/address.h"
#include "core/placement/cluster.h"
#include "core/url.h"
#include "frame/complaint.h"
#include "frame/properties.h"
#include "rpc/own-address.h"

#define MASTER_PORT 3000
#define SETTINGS    "/etc/dkv"

void volume_place_done(VolumePlace *place) {
        free(place->master);
        free(place->listen);
        *place = (VolumePlace){};
}

/* The address on which the master of this machine listens, NULL if there is none or it does not
 * answer. The only error is -ENOMEM. */
static int ask_master(sd_bus *bus, bool start_it, char **ret) {
        int r;

        r = property_get_string(
                        bus, MASTER_NAME, MASTER_PATH, MASTER_INTERFACE, "Listen", start_it, ret,
                        NULL);
        if (r == -ENOMEM)
                return complain(r, "Failed to ask the master for its address: %m");
        if (r < 0)
                *ret = NULL;
        return 0;
}

/* The lowest number of another volume that is configured on this machine, 0 if there is none. */
static uint32_t find_sibling(uint32_t number) {
        uint64_t found = 0;
        const struct dirent *entry;
        DIR *directory;

        directory = opendir(SETTINGS);
        while (directory && (entry = readdir(directory))) {
                char digits[DECIMAL_SIZE(uint32_t)] = "", end;
                uint64_t n;

                if (sscanf(entry->d_name, "volume@%10[0-9].con%c", digits, &end) == 2 &&
                    end == 'f' && parse_u64(digits, VOLUME_MAX, &n) >= 0 && n != number &&
                    (found == 0 || n < found))
                        found = n;
        }
        if (directory)
                (void) closedir(directory);
        return (uint32_t) found;
}

/* The address with another port. */
static char *with_port(const Address *address, uint32_t port) {
        char *text;

        if (asprintf(&text, address->is_v6 ? "[%s]:%" PRIu32 : "%s:%" PRIu32, address->host, port) <
            0)
                return NULL;
        return text;
}

/* Derives the place from the address of the master on this machine. */
static int follow_master(const char *listen, uint32_t number, VolumePlace *place) {
        const char *reason;
        Address address;

        if (address_parse(listen, &address, &reason) < 0)
                return 0;

        if (address.is_any)
                (void) snprintf(address.host, sizeof(address.host), "127.0.0.1");
        if (address.is_any)
                address.is_v6 = false;
        if (!place->master &&
            !(address.port == MASTER_PORT && strcmp(address.host, "127.0.0.1") == 0)) {
                _cleanup_free_ char *authority = with_port(&address, address.port);

                if (!authority || asprintf(&place->master, URL_SCHEME "%s", authority) < 0) {
                        place->master = NULL;
                        return -ENOMEM;
                }
        }
        if (!place->listen && !address_is_loopback(&address) && address.is_numeric) {
                place->listen = with_port(&address, MASTER_PORT + number);
                return place->listen ? 0 : -ENOMEM;
        }
        return 0;
}

/* Derives the place from the settings of another volume on this machine. */
static int follow_sibling(uint32_t sibling, uint32_t number, VolumePlace *place) {
        _cleanup_(volume_file_done) VolumeFile file = {};
        _cleanup_free_ char *path = NULL;
        const char *reason;
        Address address;
        int r;

        r = volume_file_path(NULL, sibling, &path);
        if (r >= 0)
                r = volume_file_load(path, &file);
        if (r < 0)
                return r;

        if (!place->master && *file.master) {
                place->master = strdup(file.master);
                if (!place->master)
                        return -ENOMEM;
        }
        if (place->listen || address_parse(file.listen, &address, &reason) < 0 || address.is_any ||
            address_is_loopback(&address))
                return 0;
        place->listen = with_port(&address, MASTER_PORT + number);
        return place->listen ? 0 : -ENOMEM;
}

/* Tries a running master, then the settings of other volumes, then a master that can be started. */
static int find(sd_bus *bus, uint32_t number, VolumePlace *place) {
        _cleanup_free_ char *listen = NULL;
        uint32_t sibling = find_sibling(number);
        int r;

        r = ask_master(bus, false, &listen);
        if (r >= 0 && !listen && sibling > 0)
                r = follow_sibling(sibling, number, place);
        if (r >= 0 && !listen && !place->master)
                r = ask_master(bus, true, &listen);
        place->is_here = listen;
        if (r >= 0 && listen)
                r = follow_master(listen, number, place);
        return r;
}

/* A master on another machine needs an address that it can reach. Returns 0, EXIT_USAGE or
 * -ENOMEM. */
static int find_listen(uint32_t number, VolumePlace *place) {
        _cleanup_free_ char *first = NULL; /* of several masters */
        const char *masters = place->master;
        Address master, own;
        int r;

        r = url_list_take(&masters, &first);
        if (r <= 0)
                return r;
        if (url_host(first, &master) < 0 || address_is_loopback(&master))
                return 0;
        if (own_address_find(master.host, 0, &own) < 0)
                return complain_usage(
                                "Name the address by which the master at '%s' and clients reach this machine: "
                                "--listen=ADDRESS:%" PRIu32,
                                first, MASTER_PORT + number);

        place->listen = with_port(&own, MASTER_PORT + number);
        return place->listen ? 0 : -ENOMEM;
}

/* Takes what the command line says. Returns 0, EXIT_USAGE or a negative errno. */
static int take_options(const char *listen, const char *master, VolumePlace *place) {
        const char *reason = NULL;
        Address address;
        int r;

        if (listen) {
                if (address_complain(listen))
                        return complain_usage(
                                        "--listen takes ADDRESS:PORT, but '%s' %s.", listen,
                                        address_complain(listen));
                if (address_parse(listen, &address, &reason) < 0 || !address.is_numeric)
                        return complain_usage(
                                        "--listen takes ADDRESS:PORT, where ADDRESS is an IP address of this machine "
                                        "that clients can reach, not '%s'.",
                                        listen);
                place->listen = strdup(listen);
                if (!place->listen)
                        return -ENOMEM;
        }
        if (master) {
                r = url_list_normalize(master, &place->master, &reason);
                if (r == -EINVAL)
                        return complain_usage(
                                        "--master takes http://ADDRESS:PORT, but '%s' %s.", master,
                                        reason);
                return r;
        }
        return 0;
}

int volume_place_find(
                sd_bus *bus,
                uint32_t number,
                const char *listen,
                const char *master,
                VolumePlace *ret) {
        _cleanup_(volume_place_done) VolumePlace place = {};
        int r;

        r = take_options(listen, master, &place);
        if (r == 0 && bus && !master)
                r = find(bus, number, &place);
        if (r == -ENOMEM)
                return complain(r, "Failed to find the master: %m");
        if (r != 0)
                return r;

        if (!place.listen && place.master && bus && number <= UINT16_MAX - MASTER_PORT)
                r = find_listen(number, &place);
        if (r == -ENOMEM)
                return complain(r, "Failed to find an address: %m");
        if (r != 0)
                return r;

        if (!place.listen && number > UINT16_MAX - MASTER_PORT)
                return complain_usage("Volume %" PRIu32 " needs --listen=ADDRESS:PORT.", number);

        *ret = place;
        place = (VolumePlace){};
        return 0;
}
