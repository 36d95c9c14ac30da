#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm events knows each event by its name. Usage: events.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import sys

IDS = 'lib/base/event-ids.h'
NAMES = 'cli/verb-events.c'


def main():
    root = pathlib.Path(sys.argv[1])
    ids = re.findall(r'^#define (EVENT_\w+)\s+"[0-9a-f]{32}"', (root / IDS).read_text(), re.M)
    names = dict(re.findall(r'{ (EVENT_\w+),\s*"([a-z-]+)"', (root / NAMES).read_text()))
    expected = {one: one.removeprefix('EVENT_').lower().replace('_', '-') for one in ids}

    found = [f'{NAMES}:1: {{ {one}, "{name}" }} is missing'
             for one, name in expected.items() if names.get(one) != name]
    found += [f'{NAMES}:1: {one} is not in {IDS}' for one in names.keys() - expected.keys()]
    print('\n'.join(found or [f'{len(ids)} events']))
    return bool(found) or not ids


sys.exit(main())
