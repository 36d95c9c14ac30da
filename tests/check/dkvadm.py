#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm's table of verbs, its help and its man page say the same. Usage: dkvadm.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import subprocess
import sys

import pages

SKIP = 77


def table(text, name):
    """The entries of the C table NAME, each as the list of its strings."""
    body = re.search(rf'^const \w+ {name}\[\] = {{\n(.*?)^}};', text, re.M | re.S)[1]
    for row in re.findall(r'^ +{ (.+) },$', body, re.M):
        yield re.findall(r'"((?:[^"\\]|\\.)*)"', row)


def complaints(root, program):
    source = (root / 'cli/adm/tables.c').read_text()
    page = pages.Page(root / 'man/dkvadm.8')
    verbs = {row[0]: row for row in table(source, 'adm_verbs')}
    options = {row[0]: row for row in table(source, 'adm_options')}
    help_ = subprocess.run([program, '--help'], capture_output=True, text=True, timeout=10).stdout

    bodies = dict(page.section('VERBS').bodies())
    documented = list(bodies)
    expected = [f'{row[0]} {row[1]}'.strip() for row in verbs.values()]
    yield from (f'man/dkvadm.8: no paragraph "{v}"' for v in expected if v not in documented)
    yield from (f'man/dkvadm.8: paragraph "{v}", but there is no such verb'
                for v in documented if v not in expected)

    found = [re.search(r'--([\w-]+)', line)[1] for line in page.section('OPTIONS').entries()]
    yield from (f'man/dkvadm.8: no paragraph about --{o}' for o in options if o not in found)
    yield from (f'man/dkvadm.8: paragraph about --{o}, but there is no such option'
                for o in found if o not in options)

    for verb, row in verbs.items():
        if f'  {verb} {row[1]}'.rstrip() not in help_:
            yield f'dkvadm --help: nothing about "{verb}"'
        shown = subprocess.run([program, *verb.split(), '--help'], capture_output=True, text=True).stdout
        names = row[2].split()
        yield from (f'cli/adm/tables.c: {verb} takes --{o}, but there is no such option'
                    for o in names if o not in options)
        yield from (f'dkvadm {verb} --help: nothing about --{o}'
                    for o in names if f'--{o}' not in shown)
        paragraph = ' '.join(bodies.get(f'{verb} {row[1]}'.strip(), []))
        yield from (f'man/dkvadm.8: "{verb}" does not tell of --{o}' for o in names
                    if o != 'epoch' and paragraph and f'--{o}' not in paragraph)


def main():
    root, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / 'cli/dkvadm'
    if not program.exists():
        print('dkvadm is not built, nothing checked')
        return SKIP

    found = list(complaints(root, program))
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
