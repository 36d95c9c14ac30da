#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files and folders that the documents name are there. Usage: paths.py SOURCE-ROOT ..."""

import pathlib
import re
import sys

DOCUMENTS = ['ARCHITECTURE.md', 'HACKING.md', 'README.md']
PATH = re.compile(r'`((?:cli|daemons|etc|lib|man|packaging|tests|units|base|core|store|http|rpc|bus|daemon|master|volume)/[\w./*@-]+)')
PLACEHOLDER = re.compile(r'[A-Z]{4}')


def exists(root, name):
    """NAME may be below lib/ or daemons/, and a module without the end of its name."""
    return any(any(root.glob(f'{above}{name}{end}'))
               for above in ('', 'lib/', 'daemons/') for end in ('', '.[ch]', '.py'))


def main(root):
    status = 0
    for document in DOCUMENTS:
        for number, line in enumerate((root / document).read_text().splitlines(), 1):
            for name in PATH.findall(line):
                if not PLACEHOLDER.search(name) and not exists(root, name.rstrip('./')):
                    print(f'{document}:{number}: there is no {name}')
                    status = 1
    return status


sys.exit(main(pathlib.Path(sys.argv[1])))
