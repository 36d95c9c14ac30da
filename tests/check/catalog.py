#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each event has an entry in the journal's catalog, and no entry is of no event. Usage: catalog.py SOURCE-ROOT"""

import pathlib
import re
import sys

EVENTS = 'lib/base/event-ids.h'
CATALOG = 'etc/dkv.catalog'
HEADERS = ['Subject', 'Defined-By', 'Documentation']
PAGE = 'man:dkv-events(7)'


def read_events(root):
    """Yields (line, name, id) of each event."""
    for number, line in enumerate((root / EVENTS).read_text().splitlines(), 1):
        if m := re.match(r'#define (EVENT_\w+)\s+"(.*?)"', line):
            yield number, m[1], m[2]


def read_entries(root):
    """Yields (line, id, headers, text) of each entry."""
    parts = re.split(r'^-- (.*)\n', (root / CATALOG).read_text(), flags=re.M)
    line = 1 + parts[0].count('\n')
    for id_, entry in zip(parts[1::2], parts[2::2]):
        head, _, text = entry.partition('\n\n')
        yield line, id_, dict(h.split(': ', 1) for h in head.splitlines()), text.strip()
        line += 1 + entry.count('\n')


def complaints(root):
    events = list(read_events(root))
    entries = list(read_entries(root))
    used = {n for d in ('lib', 'daemons') for p in (root / d).rglob('*.c')
            for n in re.findall(r'\bEVENT_\w+', p.read_text())}

    ids = [e[2] for e in events]
    described = [e[1] for e in entries]
    for number, name, id_ in events:
        if not re.fullmatch('[0-9a-f]{32}', id_):
            yield f'{EVENTS}:{number}: the id of {name} is not 32 hex digits'
        if ids.count(id_) > 1:
            yield f'{EVENTS}:{number}: the id of {name} is used twice'
        if id_ not in described:
            yield f'{EVENTS}:{number}: {name} has no entry in {CATALOG}'
        if name not in used:
            yield f'{EVENTS}:{number}: nobody logs {name}'

    for number, id_, headers, text in entries:
        if described.count(id_) > 1:
            yield f'{CATALOG}:{number}: the second entry of {id_}'
        if id_ not in ids:
            yield f'{CATALOG}:{number}: {id_} is no event of {EVENTS}'
        if list(headers) != HEADERS or not text:
            yield f'{CATALOG}:{number}: an entry has {", ".join(HEADERS)}, an empty line and a text'
        if headers.get('Documentation') != PAGE:
            yield f'{CATALOG}:{number}: the page about events is {PAGE}'


found = list(complaints(pathlib.Path(sys.argv[1])))
print('\n'.join(found))
sys.exit(bool(found))
