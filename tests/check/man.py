#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The man pages are installed, have no warnings, and are there where something refers to them.
Usage: man.py SOURCE-ROOT"""

import pathlib
import re
import shutil
import subprocess
import sys

REFERRING = ['man/*.[1-8]', 'units/*', 'etc/*', 'cli/**/*', 'daemons/*/*.c', 'lib/*/*.c', '*.md']
LINTS = [['groff', '-ww', '-man', '-Tutf8', '-z'], ['mandoc', '-Tlint', '-Wwarning']]
OVERVIEW = 'dkv(7)'


def name_of(path):
    """dkvadm.8 is dkvadm(8)."""
    return f'{path.stem}({path.suffix[1:]})'


def references(path):
    """Yields (line, page) for each page of ours that a file names."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        plain = re.sub(r'\\f.|[ "]', '', line.replace('\\-', '-')) if path.parent.name == 'man' else line
        for name, section in re.findall(r'\b(dkv[\w.-]*|org\.dkv\.\w+)\(([1-8])\)', re.sub(r'^\.BR', '', plain)):
            yield number, f'{name}({section})'


def warnings(page):
    for command in LINTS:
        if shutil.which(command[0]):
            done = subprocess.run([*command, page], capture_output=True, text=True, check=False)
            yield from (done.stdout + done.stderr).splitlines()


def complaints(root):
    pages = {name_of(path): path for path in sorted((root / 'man').glob('*.[1-8]'))}
    installed = (root / 'man/meson.build').read_text()
    for name, path in pages.items():
        text, where = path.read_text(), path.relative_to(root)
        title = re.search(r'^\.TH (\S+) (\d) ', text, re.M)
        if not title or f'{title[1].lower()}({title[2]})' != name.lower():
            yield f'{where}: .TH is not about {name}'
        if not re.search(r'^\.SH SEE ALSO\n(?:\.BR .*\n?)+\Z', text, re.M):
            yield f'{where}: does not end with SEE ALSO'
        if f"'{path.name}'" not in installed:
            yield f'man/meson.build: does not install {path.name}'
        yield from warnings(path)

    for glob in REFERRING:
        for path in filter(pathlib.Path.is_file, sorted(root.glob(glob))):
            yield from (f'{path.relative_to(root)}:{line}: there is no {name}'
                        for line, name in references(path) if name not in pages)

    if OVERVIEW in pages:
        told = {name for _, name in references(pages[OVERVIEW])}
        yield from (f'man/dkv.7: nothing about {name}' for name in pages if name not in told | {OVERVIEW})


found = list(complaints(pathlib.Path(sys.argv[1])))
print('\n'.join(found))
sys.exit(bool(found))
