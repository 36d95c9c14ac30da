#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No layer includes one above it, and each library is used at home only. Usage: layers.py SOURCE-ROOT"""

import pathlib
import re
import sys

# What each directory may include, besides itself. This is the layering rule of HACKING.md.
ALLOWED = {
    'lib/base': set(),
    'lib/core': {'base'},
    'lib/store': {'base', 'core'},
    'lib/http': {'base', 'core'},
    'lib/rpc': {'base', 'core', 'http'},
    'lib/bus': {'base', 'core'},
    'lib/daemon': {'base', 'core', 'http', 'rpc', 'bus'},
    'daemons/master': {'base', 'core', 'store', 'http', 'rpc', 'bus', 'daemon'},
    'daemons/volume': {'base', 'core', 'store', 'http', 'rpc', 'bus', 'daemon'},
    'cli/frame': {'base', 'core', 'bus'},
    'cli/adm': {'base', 'core', 'bus', 'rpc', 'frame'},
    'cli/bench': {'base', 'core'},
    'daemons/generator': {'base', 'core', 'master', 'volume'},  # of the daemons, only the settings
}

DAEMONS = {'daemons/master', 'daemons/volume'}
ADM = {'cli/adm', 'cli/frame'}

# External libraries have few homes each, so that a change of heart stays local. A name that ends
# in / stands for all headers below it.
HOMES = {
    'microhttpd.h': {'lib/http'},
    'curl/': {'lib/rpc'},
    'db.h': {'lib/store'},
    'json-c/': {'lib/base'},
    'ini.h': {'lib/base'},
    'xxhash.h': {'lib/core'},
    'gnutls/': {'lib/core'},
    'systemd/sd-journal.h': {'lib/base'} | ADM,
    'systemd/sd-event.h': {'lib/base', 'lib/rpc', 'lib/bus', 'lib/daemon'} | ADM | DAEMONS,
    'systemd/sd-daemon.h': {'lib/daemon'} | DAEMONS,
    'systemd/sd-bus.h': {'lib/bus', 'lib/daemon'} | ADM | DAEMONS,
}


def homes(header):
    """The layers that may include the external HEADER, or None for any."""
    for name, layers in HOMES.items():
        if header == name or name.endswith('/') and header.startswith(name):
            return layers
    return None


def complaints(root):
    for layer, allowed in ALLOWED.items():
        for path in sorted((root / layer).rglob('*.[ch]')):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                where = f'{path.relative_to(root)}:{number}'
                if m := re.match(r'#\s*include\s+"([\w.-]+)/', line):
                    if m[1] != pathlib.Path(layer).name and m[1] not in allowed:
                        yield f'{where}: {layer} must not include {m[1]}/'
                elif m := re.match(r'#\s*include\s+<(.+)>', line):
                    layers = homes(m[1])
                    if layers is not None and layer not in layers:
                        yield f'{where}: <{m[1]}> belongs to {", ".join(sorted(layers))}'


# What decides what to say to an operator, and when a process ends, is the daemon. lib/daemon speaks for it.
SPEAKS = re.compile(r'\blog_(?:full_errno|error|error_errno|warning|warning_errno|notice|info|event)\(|(?<![\w.>])_?exit\(')


def voices(root):
    for path in sorted((root / 'lib').rglob('*.c')):
        if path.relative_to(root).parts[1] == 'daemon' or path.name == 'log.c':
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if SPEAKS.search(line):
                yield f'{path.relative_to(root)}:{number}: lib neither logs nor exits'


root = pathlib.Path(sys.argv[1])
found = list(complaints(root)) + list(voices(root))
print('\n'.join(found))
sys.exit(bool(found))
