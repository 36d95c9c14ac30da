#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every program knows --help, --version and no unknown option. Usage: help.py SOURCE-ROOT BUILD-ROOT"""

import json
import os
import pathlib
import re
import subprocess
import sys

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


def main():
    build = pathlib.Path(sys.argv[2])
    version = json.loads((build / 'meson-info/intro-projectinfo.json').read_text())['version']
    built = list(programs(build))
    if not built:
        print('no program is built, nothing checked')
        return SKIP

    found = [f'{p.name}:1: {c}' for p in built for c in complaints(p, version)]
    print('\n'.join(found or [f'checked: {", ".join(p.name for p in built)}']))
    return bool(found)


sys.exit(main())
