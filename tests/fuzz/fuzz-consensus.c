/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/consensus.h"
#include "fuzz.h"

/* A member of three, and two others that say whatever they like. */
static Consensus *open_core(ConsensusUpdate *update) {
        static const ConsensusOptions options = {
                .self = 1,
                .election_usec = 500 * USEC_PER_MSEC,
                .heartbeat_usec = 100 * USEC_PER_MSEC,
                .batch_size = 100,
                .window_size = 300,
                .backlog_size = 1000,
                .lease = true,
        };
        ConsensusApplied applied = {
                .members = { .n = 3,
                             .member = { { 1, MEMBER_VOTER, "" },
                                         { 2, MEMBER_VOTER, "" },
                                         { 3, MEMBER_VOTER, "" } } },
        };
        Consensus *core;
        int r;

        r = consensus_new(&options, 0, &(ConsensusDisk){ .applied = &applied }, &core, update);
        assert(r >= 0);
        return core;
}

static uint64_t small_number(Reader *reader) {
        uint8_t byte = reader_get_u8(reader);

        return byte < 240 ? byte : UINT64_MAX - (255 - byte);
}

static int say(Consensus *core, uint64_t now, Reader *reader, ConsensusUpdate *update) {
        Entry entries[4] = {};
        uint8_t flags = reader_get_u8(reader);
        Message message = {
                .type = reader_get_u8(reader) % (_MESSAGE_TYPE_MAX + 1),
                .from = reader_get_u8(reader) % 5,
                .to = 1,
                .term = small_number(reader),
                .pre = flags & 1,
                .force = flags & 2,
                .refused = flags & 4,
                .lease = flags & 8,
                .index = small_number(reader),
                .index_term = small_number(reader),
                .hint = small_number(reader),
                .commit = small_number(reader),
                .probe = small_number(reader),
                .n = flags >> 4 & 3,
                .entries = entries,
        };

        for (size_t i = 0; i < message.n; i++) {
                size_t size = 0;

                entries[i].term = small_number(reader);
                entries[i].type = reader_get_u8(reader) % (_ENTRY_TYPE_MAX + 1);
                entries[i].data = reader_get_bytes(reader, &size);
                entries[i].size = (uint32_t) size;
        }
        if (reader_error(reader) < 0)
                return 0;
        return consensus_receive(core, now, &message, update);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Reader reader = READER(data, size);
        ConsensusUpdate update;
        _cleanup_(consensus_freep) Consensus *core = open_core(&update);
        uint64_t now = 0, number, commit = 0;
        int r = 0;

        while (reader.size > 0 && reader_error(&reader) == 0 && r != -EUCLEAN) {
                Entry entry = { .size = 10, .data = "0123456789" };
                ConsensusWrite write;

                now += reader_get_u8(&reader) * USEC_PER_MSEC * 4;
                switch (reader_get_u8(&reader) % 8) {
                case 0:
                        r = consensus_tick(core, now, &update);
                        break;
                case 1:
                        r = consensus_propose(core, now, &entry, 1, &update);
                        break;
                case 2:
                        r = consensus_probe(core, now, &number, &update);
                        break;
                case 3:
                        r = consensus_disconnected(core, now, 2, &update);
                        break;
                case 4:
                        (void) consensus_compact(core, small_number(&reader));
                        break;
                default:
                        r = say(core, now, &reader, &update);
                        break;
                }
                if (r < 0)
                        continue;
                assert(update.commit >= commit);
                commit = update.commit;
                write = update.write;
                if (write.number > 0)
                        assert(consensus_written(core, now, &write, &update) == 0);
        }
        return 0;
}
