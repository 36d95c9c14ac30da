#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shipped configuration is what the programs print. Usage: conf.py SOURCE-ROOT BUILD-ROOT"""

import difflib
import pathlib
import subprocess
import sys

SKIP = 77
FILES = {
    'etc/master.conf': 'daemons/master/dkv-master',
    'etc/volume.conf': 'daemons/volume/dkv-volume',
}


def complaints(root, name, program):
    path = root / name
    shipped = path.read_text().splitlines() if path.exists() else []
    printed = subprocess.check_output([program, '--print-settings'], text=True).splitlines()
    line = 1 + next((i for i, pair in enumerate(zip(shipped, printed)) if pair[0] != pair[1]),
                    min(len(shipped), len(printed)))
    if shipped != printed:
        yield f'{name}:{line}: not what {program.name} --print-settings prints'
        yield from difflib.unified_diff(shipped, printed, name, program.name, lineterm='')


def main():
    root, build = map(pathlib.Path, sys.argv[1:3])
    missing = [p for p in FILES.values() if not (build / p).exists()]
    if missing:
        print(f'not built, not checked: {", ".join(missing)}')
        return SKIP

    found = [c for name, p in FILES.items() for c in complaints(root, name, build / p)]
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
