/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/entries/entries-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

EntryType type_of(uint64_t index, uint64_t term) {
        return (EntryType) (1 + (index * 7 + term) % 3);
}

uint32_t make_content(uint64_t index, uint64_t term, uint8_t ret[static CONTENT_MAX]) {
        uint32_t size = (uint32_t) ((index * 37 + term * 11) % CONTENT_MAX);

        for (uint32_t i = 0; i < size; i++)
                ret[i] = (uint8_t) (index * 31 + term * 17 + i);
        return size;
}

int open_log(Fixture *fixture) {
        EntryLogOptions options = { .dir_fd = fixture->dir_fd,
                                    .new_id = 99,
                                    .segment_size = SEGMENT_SIZE };

        return entry_log_open(&options, &fixture->log);
}

int open_directory(const char *directory) {
        return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

ConsensusWrite make_write(Fixture *fixture, uint64_t first, uint64_t last, uint64_t term) {
        for (uint64_t index = first; index <= last; index++) {
                uint8_t *content = fixture->contents[index - first];
                uint32_t size = make_content(index, term, content);

                fixture->entries[index - first] = (Entry){ term, type_of(index, term), size,
                                                           content };
        }
        return (ConsensusWrite){
                .number = 1, .first = first, .last = last, .entries = fixture->entries
        };
}

void model_write(Model *model, const ConsensusWrite *write) {
        if (write->reset) {
                model->reset = write->first - 1;
                model->terms[model->reset] = write->base_term;
        }
        for (uint64_t index = write->first; index <= write->last; index++)
                model->terms[index] = write->entries[index - write->first].term;
        model->last = write->last;
}

const char *compare(EntryLog *log, const Model *model) {
        _cleanup_(buffer_done) Buffer scratch = {};
        uint64_t base_term, last_term, base = entry_log_base(log, &base_term);
        uint64_t last = entry_log_last(log, &last_term);
        Entry entry;

        if (last != model->last || last_term != model->terms[last])
                return "the end";
        if (base > MAX(model->reset, model->compacted) || base > last || base < model->reset ||
            base_term != model->terms[base])
                return "the base";
        if (entry_log_read(log, base, &scratch, &entry) != -ENODATA ||
            entry_log_read(log, last + 1, &scratch, &entry) != -ENODATA)
                return "more than there is";

        for (uint64_t index = base + 1; index <= last; index++) {
                uint8_t content[CONTENT_MAX];
                uint64_t term = model->terms[index];
                uint32_t size = make_content(index, term, content);

                if (entry_log_read(log, index, &scratch, &entry) < 0)
                        return "an entry that cannot be read";
                if (entry.term != term || entry.type != type_of(index, term) ||
                    entry.size != size || memcmp(entry.data, content, size) != 0)
                        return "another entry";
        }
        return NULL;
}

int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->dir_fd = open_directory(fixture->directory);
        assert_int_equal(open_log(fixture), 0);
        *state = fixture;
        return 0;
}

int teardown(void **state) {
        Fixture *fixture = *state;

        (void) entry_log_free(fixture->log);
        closep(&fixture->dir_fd);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

void assert_same(Fixture *fixture) {
        const char *difference = compare(fixture->log, &fixture->model);

        if (difference)
                fail_msg("%s", difference);
}

void see_term(Fixture *fixture, uint64_t term) {
        if (term <= fixture->model.term)
                return;
        assert_int_equal(entry_log_vote(fixture->log, term, 0), 0);
        fixture->model.term = term;
}

void write_entries(Fixture *fixture, uint64_t first, uint64_t last, uint64_t term) {
        ConsensusWrite write = make_write(fixture, first, last, term);

        see_term(fixture, term);
        assert_int_equal(entry_log_write(fixture->log, &write, 1), 0);
        model_write(&fixture->model, &write);
}

void reopen(Fixture *fixture) {
        fixture->log = entry_log_free(fixture->log);
        assert_int_equal(open_log(fixture), 0);
}

const char *path_of(const Fixture *fixture, const char *name) {
        return scratch_path(fixture->directory, name);
}
