/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "core/url.h"
#include "master/seat/founding.h"
#include "master/seat/seat-file.h"
#include "store/index/dump.h"
#include "store/index/group.h"

#define FIRST_MEMBER 1 /* the one that founds; the others are numbered in the order of the list */

/* -- The first one -- */

static int read_members(const char *urls, Members *ret) {
        _cleanup_free_ char *list = NULL;
        const char *reason = NULL, *rest;
        int r;

        r = url_list_normalize(urls, &list, &reason);
        if (r == -EINVAL)
                return log_error_errno(
                                r, "--found-group= takes URLs of masters, but '%s' %s.", urls,
                                reason);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");

        *ret = (Members){};
        rest = list;
        for (;;) {
                Member *member = ret->member + ret->n;
                _cleanup_free_ char *url = NULL;

                r = url_list_take(&rest, &url);
                if (r <= 0)
                        break;
                if (ret->n == VOTERS_MAX || strlen(url) > MEMBER_URL_MAX)
                        return log_error_errno(
                                        -EINVAL, "A group has at most %zu masters that decide.",
                                        VOTERS_MAX);
                *member = (Member){ .id = ++ret->n, .role = MEMBER_VOTER };
                memcpy(member->url, url, strlen(url) + 1);
        }
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        if (ret->n % 2 == 0)
                return log_error_errno(
                                -EINVAL,
                                "A group has 1, 3 or 5 masters that decide: with %zu, no more may "
                                "fail than with %zu.",
                                ret->n, ret->n - 1);
        return 0;
}

static int new_group(const char *directory, SeatFile *ret) {
        int r;

        *ret = (SeatFile){ .self = FIRST_MEMBER };
        if (getrandom(ret->group, sizeof(ret->group), 0) < 0)
                return log_error_errno(-errno, "Failed to get random numbers: %m");
        r = seat_file_write(directory, ret);
        if (r < 0)
                return log_error_errno(r, "Failed to write '%s/seat': %m", directory);
        return 0;
}

/* Which group an attempt was about that has come to an end too early; -ENOENT if there was none. */
static int old_group(const char *directory, SeatFile *ret) {
        int r;

        r = seat_file_read(directory, ret);
        if (r >= 0 && (ret->has_log || ret->self != FIRST_MEMBER))
                return log_error_errno(
                                -EEXIST,
                                "The master in '%s' is member %" PRIu64
                                " of a group already; nothing was changed.",
                                directory, ret->self);
        if (r < 0 && r != -ENOENT)
                return log_error_errno(r, "Failed to read '%s/seat': %m", directory);
        return r;
}

static int propose_nothing(Buffer *entry, void *proposal, void *userdata) {
        return -ESHUTDOWN;
}

static void do_nothing(void *userdata) {
}

static void ignore(int error, void *userdata) {
}

/* Opens an index that is of a group, without one. */
static int open_member(const IndexOptions *options, Index **ret, Members *ret_members) {
        static const IndexGroup nobody = {
                .propose = propose_nothing,
                .on_ready = do_nothing,
                .on_broken = ignore,
        };
        IndexOptions member = *options;
        ConsensusApplied applied;
        uint64_t on_disk;
        int r;

        member.group = &nobody;
        r = index_open(&member, ret);
        if (r < 0)
                return r;
        index_applied(*ret, &applied, &on_disk);
        *ret_members = applied.members;
        return 0;
}

static bool members_equal(const Members *one, const Members *other) {
        for (size_t i = 0; i < one->n && one->n == other->n; i++)
                if (strcmp(one->member[i].url, other->member[i].url) != 0)
                        return false;
        return one->n == other->n;
}

static int fail_to_found(const IndexOptions *options, int error) {
        return log_error_errno(
                        error, "Failed to make the index in '%s' that of a group: %m",
                        options->directory);
}

/* The index is that of a group since an earlier attempt. If that was for other masters, it is
 * undone, and the next one is for another group, since somebody may have joined that one. Returns 1
 * if there is nothing left to do, 0, or a negative errno. */
static int resume(const IndexOptions *options, const Members *members, SeatFile *ret) {
        _cleanup_(index_freep) Index *index = NULL;
        Members old;
        int r;

        r = old_group(options->directory, ret);
        if (r == -ENOENT)
                return log_error_errno(
                                r,
                                "The index in '%s' is of a group, but which member of it has been lost "
                                "with '%s/seat'; nothing was changed.",
                                options->directory, options->directory);
        if (r < 0)
                return r;
        r = open_member(options, &index, &old);
        if (r < 0)
                return fail_to_found(options, r);
        if (members_equal(&old, members))
                return 1;

        r = new_group(options->directory, ret);
        if (r < 0)
                return r;
        r = index_dissolve_group(index);
        return r < 0 ? fail_to_found(options, r) : 0;
}

/* Nothing is written before the index is open: a master that runs, or cannot, stays alone. */
static int found(const IndexOptions *options, const Members *members, SeatFile *ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        r = index_open(options, &index);
        if (r == -EXDEV) {
                r = resume(options, members, ret);
                if (r != 0)
                        return MIN(r, 0);
                r = index_open(options, &index);
        }
        if (r < 0)
                return fail_to_found(options, r);

        r = old_group(options->directory, ret);
        if (r == -ENOENT)
                r = new_group(options->directory, ret);
        if (r < 0)
                return r;
        r = index_found_group(index, members);
        return r < 0 ? fail_to_found(options, r) : 0;
}

static int write_output(const void *data, size_t size, void *userdata) {
        const int *fd = userdata;

        return write_all(*fd, data, size);
}

static int print(const IndexOptions *options, const SeatFile *file, int fd) {
        _cleanup_(index_freep) Index *index = NULL;
        _cleanup_(buffer_done) Buffer head = {};
        int r;

        seat_file_encode(file, &head);
        r = buffer_error(&head);
        if (r >= 0)
                r = index_open_to_dump(options, &index);
        if (r >= 0)
                r = write_all(fd, head.data, head.size);
        if (r >= 0)
                r = index_dump(index, write_output, &fd);
        if (r < 0)
                return log_error_errno(
                                r,
                                "Failed to print what the other masters need (%m); the same command may be repeated.");
        return 0;
}

int founding_found(const IndexOptions *options, const char *urls, int output) {
        Members members;
        SeatFile file;
        int r;

        if (isatty(output))
                return log_error_errno(
                                -EINVAL, "The output is for the other masters: send it to a file.");
        r = read_members(urls, &members);
        if (r < 0)
                return r;
        r = make_directory(options->directory, 0750);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to make the directory '%s': %m", options->directory);
        r = found(options, &members, &file);
        return r < 0 ? r : print(options, &file, output);
}

/* -- The others -- */

static ssize_t read_input(void *data, size_t size, void *userdata) {
        const int *fd = userdata;
        ssize_t n;

        do
                n = read(*fd, data, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static int read_head(int fd, SeatFile *ret) {
        _cleanup_(buffer_done) Buffer model = {}; /* as long as what is read */
        size_t have = 0;
        ssize_t n = 1;
        int r;

        seat_file_encode(&(SeatFile){ .self = FIRST_MEMBER }, &model);
        r = buffer_error(&model);
        if (r < 0)
                return r;
        while (have < model.size && n > 0) {
                n = read_input((uint8_t *) model.data + have, model.size - have, &fd);
                if (n < 0)
                        return (int) n;
                have += (size_t) n;
        }
        return seat_file_decode(model.data, have, ret);
}

/* Whether the group knows the number. */
static int check_number(const IndexOptions *options, uint64_t number) {
        _cleanup_(index_freep) Index *index = NULL;
        Members members;
        int r;

        r = open_member(options, &index, &members);
        if (r < 0)
                return r;
        return members_find(&members, number) ? 0 : -ENOENT;
}

int founding_join(const IndexOptions *options, uint64_t number, int input) {
        const char *directory = options->directory;
        SeatFile file;
        int r;

        r = read_head(input, &file);
        if (r < 0)
                return log_error_errno(
                                r,
                                "The input is not what dkv-master --found-group= has printed: %m");
        if (number == file.self)
                return log_error_errno(
                                -EEXIST,
                                "Member %" PRIu64 " is the one that has founded the group.",
                                number);

        r = make_directory(directory, 0750);
        if (r >= 0)
                r = index_load(options, read_input, &input);
        if (r == -ENOTEMPTY)
                return log_error_errno(
                                r,
                                "There is something in '%s', and only a master that has nothing "
                                "yet may join a group; nothing was changed.",
                                directory);
        if (r >= 0)
                r = check_number(options, number);
        if (r == -ENOENT)
                return log_error_errno(
                                r, "The group has no member %" PRIu64 "; empty '%s' and try again.",
                                number, directory);
        file.self = number;
        if (r >= 0)
                r = seat_file_write(directory, &file);
        if (r < 0)
                return log_error_errno(
                                r, "Failed to join the group; empty '%s' and try again: %m",
                                directory);
        return 0;
}
