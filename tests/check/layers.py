#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may include whom, where each library is used, that nothing runs in circles, and that libraries
neither log nor exit. Usage: layers.py SOURCE-ROOT"""

import pathlib
import re
import sys

# What the files of each folder may include, besides itself. This is the layering rule of HACKING.md. A folder is named as
# in an include; a name that ends in /* stands for the folders below it, too.
CORE = {'base', 'core', 'core/*'}
LIB = CORE | {'loop', 'store/index', 'http', 'http/parser', 'rpc'}
VOLUME = CORE | {'loop', 'store/object', 'http', 'http/parser', 'rpc'}
KNOWN = {'master/trouble', 'master/lead', 'master/cluster', 'master/health'}  # what a master knows
ALLOWED = {
    'base': set(),
    'core': {'base'},
    'core/placement': {'base', 'core'},
    'core/call': {'base', 'core', 'core/placement'},
    'consensus': {'base'},
    'loop': {'base'},
    'store/format': CORE,
    'store/disk': CORE | {'store/format'},
    'store/log': CORE | {'store/format', 'store/disk'},
    'store/entries': CORE | {'consensus', 'store/format', 'store/disk', 'store/log'},
    'store/environment': CORE | {'store/format', 'store/disk'},
    'store/copy': CORE | {'store/format', 'store/disk', 'store/environment'},
    'store/index': CORE | {'consensus', 'store/environment', 'store/copy'},
    'store/index/memory': CORE,
    'store/index/apply': CORE | {'consensus', 'store/disk', 'store/environment', 'store/index', 'store/index/memory'},
    'store/index/engine': CORE | {'consensus', 'store/disk', 'store/environment', 'store/index', 'store/index/*'},
    'store/value': CORE | {'store/format', 'store/environment'},
    'store/object': CORE | {'store/format', 'store/disk', 'store/log', 'store/environment', 'store/value'},
    'http/parser': CORE,
    'http/serve': CORE | {'loop'},
    'http': CORE | {'loop', 'http/parser', 'http/serve'},
    'channel': CORE | {'loop', 'http/parser'},
    'rpc': CORE | {'loop', 'http', 'channel'},
    'bus': CORE,
    'daemon': CORE | {'store/disk', 'store/environment', 'loop', 'http', 'rpc', 'bus'},
    'master': LIB | {'bus', 'daemon', 'store/*', 'master/*'},
    'master/trouble': LIB,
    'master/group': CORE | {'consensus', 'store/entries', 'channel', 'rpc'},
    'master/lead': LIB | {'master/trouble'},
    'master/seat': LIB | {'consensus', 'store/entries', 'master/trouble', 'master/lead', 'master/group'},
    'master/cluster': LIB | {'master/lead'},
    'master/health': LIB | {'master/trouble', 'master/cluster'},
    'master/link': LIB | KNOWN,
    'master/upkeep': LIB | KNOWN | {'master/link'},
    'master/request': LIB | KNOWN | {'master/group', 'master/link', 'master/upkeep'},
    'master/call': LIB | KNOWN | {'master/group', 'master/link', 'master/upkeep', 'master/request'},
    'master/queue': LIB | KNOWN,
    'master/move': LIB | KNOWN | {'master/link', 'master/upkeep', 'master/queue'},
    'master/job': LIB | KNOWN | {'master/link', 'master/upkeep', 'master/queue', 'master/move'},
    'master/bus': LIB | KNOWN | {'bus', 'daemon', 'master/upkeep', 'master/queue', 'master/job'},
    'volume': VOLUME | {'bus', 'daemon', 'store/*', 'volume/*'},
    'volume/link': VOLUME,
    'volume/upkeep': VOLUME | {'volume/link'},
    'volume/call': VOLUME | {'volume/link', 'volume/upkeep'},
    'volume/request': VOLUME | {'volume/link', 'volume/upkeep'},
    'generator': CORE | {'daemon', 'master', 'volume'},  # of the daemons, only the settings
    'frame': {'base', 'bus'},
    'adm': CORE | {'bus', 'rpc', 'frame', 'adm/*'},
    'adm/context': CORE | {'bus', 'frame'},
    'adm/machine': CORE | {'bus', 'rpc', 'frame', 'adm/context'},
    'adm/view': CORE | {'bus', 'frame', 'adm/context'},
    'adm/verb': CORE | {'bus', 'rpc', 'frame', 'adm/context', 'adm/machine', 'adm/view'},
    'adm/verb/volume': CORE | {'bus', 'rpc', 'frame', 'adm/context', 'adm/machine', 'adm/view', 'adm/verb'},
    'bench': CORE | {'frame', 'http/parser', 'bench/*'},
    'bench/load': CORE | {'frame'},
    'bench/http': CORE | {'http/parser', 'bench/load'},
    'bench/result': CORE | {'bench/load', 'bench/http'},
    'bench/run': CORE | {'frame', 'bench/load', 'bench/http', 'bench/result'},
}
TOPS = ('lib', 'daemons', 'cli')  # the include path

DAEMONS = {'master', 'volume'}
ADM = {'adm', 'frame'}

# External libraries have few homes each, so that a change of heart stays local. A name that ends
# in / stands for all headers below it.
HOMES = {
    'curl/': {'rpc'},
    'db.h': {'store'},
    'json-c/': {'base'},
    'ini.h': {'base'},
    'xxhash.h': {'core'},
    'xxh_x86dispatch.h': {'core'},
    'gnutls/': {'core', 'channel'},
    'systemd/sd-journal.h': {'base'} | ADM,
    'systemd/sd-event.h': {'base', 'rpc', 'bus', 'daemon'} | ADM | DAEMONS,
    'systemd/sd-daemon.h': {'daemon'} | DAEMONS,
    'systemd/sd-bus.h': {'bus', 'daemon'} | ADM | DAEMONS,
}

# A library logs nothing but debug messages, and does not end the process: it returns an error, tells the function that
# its user gave it (HttpClientOptions.on_broken), or calls what the program has set for that (base/fatal).
SPEAKS = re.compile(r'\blog_(?:full_errno|error|error_errno|warning|warning_errno|notice|info|event)\(')
QUIET = {'base', 'core', 'consensus', 'loop', 'store', 'http', 'channel', 'rpc', 'bus'}


def folder_of(path):
    return '/'.join(path.parts[1:-1])


def module_of(path):
    """A .c and its .h are one module, and an inner header belongs to it."""
    return re.sub(r'-internal$', '', '/'.join(path.with_suffix('').parts[1:]))


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        if m := re.match(r'#\s*include\s+(["<])(.+)[">]', line):
            yield number, m[1] == '"', m[2]


def is_allowed(folder, target):
    parents = {target[:i] + '/*' for i, c in enumerate(target) if c == '/'}
    return target == folder or target in ALLOWED[folder] or bool(parents & ALLOWED[folder])


def homes(header):
    """The layers that may include the external HEADER, or None for any."""
    for name, layers in HOMES.items():
        if header == name or name.endswith('/') and header.startswith(name):
            return layers
    return None


def complaints_about(path, text):
    folder = folder_of(path)
    if folder not in ALLOWED:
        yield f'{path}: {folder}/ has no row in {pathlib.Path(__file__).name}'
        return
    for number, is_ours, header in includes(text):
        target = header.rpartition('/')[0]
        if is_ours and not (target in ALLOWED and is_allowed(folder, target)) and '/' in header:
            yield f'{path}:{number}: {folder}/ must not include {target}/'
        layers = None if is_ours else homes(header)
        if layers is not None and folder.partition('/')[0] not in layers:
            yield f'{path}:{number}: <{header}> belongs to {", ".join(sorted(layers))}'


def complaints_about_noise(path, text):
    if folder_of(path).partition('/')[0] not in QUIET or path.suffix != '.c' or path.name == 'log.c':
        return
    for number, line in enumerate(text.splitlines(), 1):
        if m := SPEAKS.search(line):
            yield f'{path}:{number}: a library does not log: {m[0]}'
        if re.search(r'(?<![>.\w])(exit|_exit|abort)\(', line):
            yield f'{path}:{number}: a library does not end the process'


def circles(graph):
    """The strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def complaints_about_circles(texts):
    folders = {folder_of(path): set() for path in texts}
    modules = {module_of(path): set() for path in texts}
    for path, text in texts.items():
        for _, is_ours, header in includes(text):
            target = pathlib.Path(path.parts[0]) / header  # only the top counts for nothing
            if is_ours and module_of(target) in modules and module_of(target) != module_of(path):
                modules[module_of(path)].add(module_of(target))
                folders[folder_of(path)].add(folder_of(target))
    for folder, others in folders.items():
        others.discard(folder)
    for circle in circles(folders):
        yield f'folders include each other: {", ".join(circle)}'
    for circle in circles(modules):
        if len(circle) > 2:  # two may need each other
            yield f'{len(circle)} modules include each other: {", ".join(circle)}'


def complaints(root):
    texts = {path.relative_to(root): path.read_text() for top in TOPS for path in sorted((root / top).rglob('*.[ch]'))}
    for path, text in texts.items():
        yield from complaints_about(path, text)
        yield from complaints_about_noise(path, text)
    yield from complaints_about_circles(texts)


if __name__ == '__main__':
    found = list(complaints(pathlib.Path(sys.argv[1])))
    print('\n'.join(found))
    sys.exit(bool(found))
