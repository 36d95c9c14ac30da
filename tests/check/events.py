#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm events and dkv-events(7) know each event by its name; the page tells its id, its priority, and
the fields that events have. Usage: events.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import sys

import pages

IDS = 'lib/base/event-ids.h'
NAMES = 'cli/adm/verb/events.c'
PAGE = 'man/dkv-events.7'


def name_of(event):
    return event.removeprefix('EVENT_').lower().replace('_', '-')


def check_names(root, ids):
    names = dict(re.findall(r'{ (EVENT_\w+),\s*"([a-z-]+)"', (root / NAMES).read_text()))
    for one in ids:
        if names.get(one) != name_of(one):
            yield f'{NAMES}:1: {{ {one}, "{name_of(one)}" }} is missing'
    yield from (f'{NAMES}:1: {one} is not in {IDS}' for one in names.keys() - ids.keys())


def check_page(root, ids):
    page = pages.Page(root / PAGE)
    source = '\n'.join(path.read_text() for layer in ('lib', 'daemons') for path in (root / layer).rglob('*.c'))
    levels = {one: level.lower() for level, one in re.findall(r'log_event\(LOG_(\w+), (EVENT_\w+)', source)}
    told = dict(page.section('EVENTS').bodies())
    for one, id_ in ids.items():
        first = told.pop(name_of(one), [''])[0]
        if not first.startswith(f'{id_}, {levels.get(one, "")}'):
            yield f'{PAGE}: the entry of {name_of(one)} does not begin with "{id_}, {levels.get(one, "")}"'
        yield from (f'{PAGE}: {name_of(one)} has no field {field}'
                    for field in re.findall(r'DKV_\w+', first) if f'"{field}=' not in source)
    yield from (f'{PAGE}: there is no event {name}' for name in told)

    fields = set(re.findall(r'"(DKV_[A-Z]+)=', source))
    documented = set(page.section('FIELDS').entries())
    yield from (f'{PAGE}: nothing about the field {field}' for field in fields - documented)
    yield from (f'{PAGE}: there is no field {field}' for field in documented - fields)


def main():
    root = pathlib.Path(sys.argv[1])
    ids = dict(re.findall(r'^#define (EVENT_\w+)\s+"([0-9a-f]{32})"', (root / IDS).read_text(), re.M))
    found = [*check_names(root, ids), *check_page(root, ids)]
    print('\n'.join(found or [f'{len(ids)} events']))
    return bool(found) or not ids


sys.exit(main())
