#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every program knows --help, --version and no unknown option, and has a man page with the verbs and
options of its help. Usage: help.py SOURCE-ROOT BUILD-ROOT"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pages

SKIP = 77


def programs(build):
    """All that is going to be installed and can be run."""
    installed = json.loads((build / 'meson-info/intro-installed.json').read_text())
    for path in map(pathlib.Path, sorted(installed)):
        if path.is_file() and os.access(path, os.X_OK) and re.fullmatch(r'dkv[\w-]*', path.name):
            yield path


def run(program, option):
    return subprocess.run(
        [program, option], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)


def complaints(program, version):
    help_ = run(program, '--help')
    if help_.returncode != 0 or not help_.stdout.startswith('Usage: ') or help_.stderr:
        yield f'--help: exit status {help_.returncode}, prints {help_.stdout[:40]!r}'
    for line in help_.stdout.splitlines():
        if len(line) > 100:
            yield f'--help: a line of {len(line)} columns: {line}'

    result = run(program, '--version')
    if result.returncode != 0 or version not in result.stdout.split():
        yield f'--version: exit status {result.returncode}, prints {result.stdout[:40]!r}'

    result = run(program, '--no-such-option')
    if result.returncode != 2 or result.stdout or not result.stderr:
        yield f'unknown option: exit status {result.returncode} instead of 2 and a message'


def told(page):
    """The verbs and the options that a page has paragraphs about."""
    verbs = [title.split()[0] for name in ('VERBS', 'COMMANDS')
             for title in page.section(name).outer().entries()]
    options = [option for title in page.entries() if title.startswith('-')
               for option in re.findall(r'--[\w-]+', title)]
    return set(verbs), set(options)


def undocumented(root, program):
    """dkvadm has a check of its own."""
    if program.name == 'dkvadm':
        return
    found = list(root.glob(f'man/{program.name}.[18]'))
    if not found:
        yield 'has no man page'
        return

    help_ = run(program, '--help').stdout
    verbs, options = told(pages.Page(found[0]))
    for what, there, documented in (('verb', set(re.findall(r'^  ([a-z]+) ', help_, re.M)), verbs),
                                    ('option', set(re.findall(r'^  (--[\w-]+)', help_, re.M)), options)):
        yield from (f'nothing about the {what} {one} in {found[0].name}' for one in sorted(there - documented))
        yield from (f'there is no {what} {one}, which {found[0].name} has' for one in sorted(documented - there))


def environment(root):
    """What the daemons look at in their environment."""
    source = '\n'.join(path.read_text() for path in (root / 'lib').rglob('*.c'))
    names = set(re.findall(r'getenv\("(\w+)"\)', source))
    for name in 'dkv-master.8', 'dkv-volume.8':
        found = set(pages.Page(root / 'man' / name).section('ENVIRONMENT').entries())
        yield from (f'man/{name}: nothing about ${one}' for one in sorted(names - found))
        yield from (f'man/{name}: nobody looks at ${one}' for one in sorted(found - names))


def main():
    root, build = map(pathlib.Path, sys.argv[1:3])
    version = json.loads((build / 'meson-info/intro-projectinfo.json').read_text())['version']
    built = list(programs(build))
    if not built:
        print('no program is built, nothing checked')
        return SKIP

    found = [f'{p.name}:1: {c}' for p in built for c in complaints(p, version)]
    found += [f'{p.name}: {c}' for p in built for c in undocumented(root, p)]
    found += environment(root)
    print('\n'.join(found or [f'checked: {", ".join(p.name for p in built)}']))
    return bool(found)


sys.exit(main())
