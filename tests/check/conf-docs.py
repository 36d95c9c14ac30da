#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The man pages of the settings tell what the daemons take: each setting with its default, its limits,
and whether it is live, and nothing else. Usage: conf-docs.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import subprocess
import sys
import tempfile

import pages

SKIP = 77
DAEMONS = {
    'man/dkv-master.conf.5': ('daemons/master/dkv-master', 'daemons/master/conf.c'),
    'man/dkv-volume.conf.5': ('daemons/volume/dkv-volume', 'daemons/volume/conf.c'),
}

TOO_MUCH = '9' * 30  # for any number


def defaults(program):
    """The section, and the default of each setting."""
    printed = subprocess.check_output([program, '--print-settings'], text=True)
    return re.search(r'^\[(\w+)\]', printed, re.M)[1], dict(re.findall(r'^#(\w+)=(.*)$', printed, re.M))


def limits(program, section, names):
    """The daemon says them when it complains of a number; it starts with none that is too large."""
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as file:
        file.write(f'[{section}]\n' + ''.join(f'{name}={TOO_MUCH}\n' for name in names))
        file.flush()
        done = subprocess.run([program, f'--config={file.name}', '--bus-address=none'], text=True,
                              capture_output=True, timeout=10, check=False)
    assert done.returncode == 1, done
    return {name: rest for name, *rest in
            re.findall(r'(\w+)= must be between (\w+) and (\w+),', done.stdout + done.stderr)}


def expected(default, limit, live):
    """The last lines of an entry."""
    if default or limit:
        yield f'Default: {default}' + (f', from {limit[0]} to {limit[1]}.' if limit else '.')
    if live:
        yield 'Live.'


def complaints(name, page, program, source):
    section, known = defaults(program)
    live = set(re.findall(r'"(\w+)", +CONF_\w+,[^}]*\.live = true', source))
    bounds = limits(program, section, known)
    told = {title.rstrip('='): lines for title, lines in page.section('SETTINGS').bodies()}

    if list(told) != list(known):
        yield from (f'{name}: nothing about {one}=' for one in known if one not in told)
        yield from (f'{name}: {one}=: there is no such setting' for one in told if one not in known)
    if [one for one in told if one in known] != [one for one in known if one in told]:
        yield f'{name}: the settings stand in another order than in the table'

    for setting in known.keys() & told.keys():
        wanted = list(expected(known[setting], bounds.get(setting), setting in live))
        found = [line for line in told[setting] if line.startswith('Default: ') or line == 'Live.']
        if found != wanted:
            yield f'{name}: {setting}= has "{" ".join(found)}" instead of "{" ".join(wanted)}"'


def main():
    root, build = map(pathlib.Path, sys.argv[1:3])
    missing = [program for program, _ in DAEMONS.values() if not (build / program).exists()]
    if missing:
        print(f'not built, not checked: {", ".join(missing)}')
        return SKIP

    found = [c for name, (program, source) in DAEMONS.items()
             for c in complaints(name, pages.Page(root / name), build / program,
                                 (root / source).read_text())]
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
