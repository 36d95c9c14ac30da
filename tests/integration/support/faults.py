# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings with which a test of an accident is short, and accidents on disks."""

FAST = {'GraceSec': '1s', 'TicketSec': '1s'}
BRIEF = {**FAST, 'VolumeTimeoutSec': '500ms'}
# The master goes on to believe in a volume that has just died.
BELIEVING = {**FAST, 'VolumeTimeoutSec': '1h'}
INLINE, INLINE_MAX, FILE = 1000, 32768, 100000


def flip(directory, needle):
    """Flips one bit inside of NEEDLE wherever it is in the files below DIRECTORY. Logs of the
    database are left alone: only recovery reads them."""
    flipped = 0
    for path in directory.rglob('*'):
        if not path.is_file() or path.name.startswith('log.'):
            continue
        data = bytearray(path.read_bytes())
        at = data.find(needle)
        while at >= 0:
            data[at + len(needle) // 2] ^= 1
            path.write_bytes(data)
            flipped += 1
            at = data.find(needle, at)
    assert flipped, f'{needle!r} is not in {directory}'


def damage_page(path):
    """Flips a bit in the first leaf of a B-tree, which has more of them: page type 5 stands in byte
    25 of a page, and what was put last lies elsewhere."""
    data = bytearray(path.read_bytes())
    leaf = min(at for at in range(8192, len(data), 4096) if data[at + 25] == 5)
    data[leaf + 4000] ^= 1
    path.write_bytes(data)


def break_disk(daemon, library, call):
    """For the next start of DAEMON. Returns a function that makes CALL fail from then on."""
    trigger = daemon.conf.with_suffix('.fault')
    daemon.environment = {'LD_PRELOAD': str(library), 'DKV_FAULT': str(trigger)}
    return lambda: trigger.write_text(call)
