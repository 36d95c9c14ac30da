#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each header compiles alone, with the flags of the build. Usage: headers.py SOURCE-ROOT BUILD-ROOT"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

DIRECTORIES = ['lib', 'daemons', 'cli', 'tests']


def flags(command):
    """The compiler and its flags, without what names the one file of COMMAND."""
    words = iter(shlex.split(command['command']))
    for word in words:
        if word in ('-o', '-c', '-MF', '-MQ'):
            next(words)
        elif word != '-MD':
            yield word


def compile_alone(root, build, command, header):
    """Returns what the compiler has to say about HEADER."""
    result = subprocess.run(
        [*flags(command), '-fdiagnostics-color=never', '-fsyntax-only', '-x', 'c', '-'],
        input=f'#include "{header}"\n', cwd=build, capture_output=True, text=True)
    if result.returncode == 0:
        return ''
    return f'{header.relative_to(root)}:1: does not compile alone\n{result.stderr}'


def commands(build):
    """Each source with the command that compiles it."""
    return [((build / command['file']).resolve(), command)
            for command in json.loads((build / 'compile_commands.json').read_text())]


def command_for(header, sources):
    """That of a source below the same folder that includes the header, for programs may differ in
    their flags; or that of any source there, or at all."""
    below = [(source, command) for source, command in sources if header.parent in source.parents]
    for source, command in below:
        if re.search(rf'#include "(.*/)?{re.escape(header.name)}"', source.read_text()):
            return command
    return (below or sources)[0][1]


def complaints(root, build):
    sources = commands(build)
    headers = [h for d in DIRECTORIES for h in sorted((root / d).rglob('*.h'))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(
            lambda h: compile_alone(root, build, command_for(h, sources), h), headers))


found = list(complaints(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
print('\n'.join(found))
sys.exit(bool(found))
