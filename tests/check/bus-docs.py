#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The man pages of the D-Bus interfaces tell what the daemons have: each method, property and signal
with its types, and nothing else; and each option of a method. Usage: bus-docs.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import pages

SKIP = 77
PROGRAMS = {
    'man/org.dkv.Master1.5': ('daemons/master/dkv-master', ['/org/dkv/Master1',
                                                             '/org/dkv/Master1/job/1',
                                                             '/org/dkv/Master1/volume/1']),
    'man/org.dkv.Volume1.5': ('daemons/volume/dkv-volume', ['/org/dkv/Volume1']),
}

# What "EmitsChangedSignal" is called in the pages.
CHANGES = {'const': ' constant', 'true': ' announced', 'false': ''}


def arguments(element, direction):
    return ', '.join(rf'{a.get("type")} \fI{a.get("name")}\fP' for a in element.iter('arg')
                     if a.get('direction', 'out') == direction)


def entry(element):
    """The line of a man page that describes a member of an interface."""
    name = rf'\fB{element.get("name")}\fP'
    if element.tag == 'property':
        changes = {a.get('value') for a in element.iter('annotation')
                   if a.get('name') == 'org.freedesktop.DBus.Property.EmitsChangedSignal'}
        access = '' if element.get('access') == 'read' else ' writable'
        return f'{name} {element.get("type")}{CHANGES[changes.pop() if changes else "true"]}{access}'
    if element.tag == 'signal':
        return f'signal {name}({arguments(element, "out")})'
    result = arguments(element, 'out')
    return f'{name}({arguments(element, "in")})' + (rf' \(-> {result}' if result else '')


def interfaces(program, paths):
    """What the daemon has: the entries of each interface."""
    for path in paths:
        text = subprocess.check_output([program, f'--bus-introspect={path}'], text=True)
        for interface in xml.etree.ElementTree.fromstring(text).iter('interface'):
            if interface.get('name').startswith('org.dkv.'):
                yield interface.get('name'), {entry(e) for e in interface
                                              if e.tag in ('method', 'property', 'signal')}


def documented(page):
    """What the page has: the entries of each interface, with their lines."""
    result, entries, previous = {}, None, ''
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if m := re.match(r'\.SS (org\.dkv\..*)', line):
            entries = result.setdefault(m[1], {})
        elif line.startswith('.SH'):
            entries = None
        elif previous == '.TP' and entries is not None:
            entries[line] = number
        previous = line
    return result


def complaints(page, program, paths):
    there, told = dict(interfaces(program, paths)), documented(page)
    for name in told.keys() - there.keys():
        yield f'{page.name}: there is no interface {name}'
    for name, entries in there.items():
        if name not in told:
            yield f'{page.name}: interface {name} is missing'
            continue
        for line in sorted(entries - told[name].keys()):
            yield f'{page.name}: {name} lacks the entry {line}'
        for line in sorted(told[name].keys() - entries):
            yield f'{page.name}:{told[name][line]}: {name} has no such member: {line}'


def metrics(root):
    """The figures: what their table says of them is how their entries begin."""
    for source, table, names in (('traffic', 'TRAFFIC', ('Master1', 'Volume1')),
                                 ('metrics', 'MASTER', ('Master1',)), ('metrics', 'STORE', ('Volume1',))):
        _, _, text = (root / f'lib/core/{source}.h').read_text().partition(f'#define {table}_METRICS(ROW)')
        rows = re.findall(r'ROW\(\w+, +"(\w+)", +\w+, +"\w*", +"(.*)"\)', text.partition('\n\n')[0])
        if not rows:
            yield f'lib/core/{source}.h: there are no metrics {table}'
        for name in names:
            text = (root / f'man/org.dkv.{name}.5').read_text()
            yield from (f'org.dkv.{name}.5: {property} is not described as: {help_}' for property, help_ in rows
                        if f'\\fB{property}\\fP t\n{help_}\n' not in text)


def details(root):
    """Options, which are in no introspection data, and errors."""
    source = '\n'.join(path.read_text() for path in root.glob('daemons/master/bus/*.c'))
    page = pages.Page(root / 'man/org.dkv.Master1.5')
    text = ' '.join(pages.plain(line) for line in page.lines)
    for name, type_ in sorted(set(re.findall(r'{ "([a-z-]+)", \'(\w)\',', source))):
        if not re.search(rf'\b{name}\W+(?:of type )?{type_}\b', text):
            yield f'{page.title}: nothing about the option {name} of type {type_}'

    known = re.findall(r'BUS_ERROR\("(\w+)"\)', (root / 'lib/base/error.c').read_text())
    yield from (f'{page.title}: there is no error {name}' for entry in page.section('ERRORS').entries()
                for name in entry.split(', ') if name.removeprefix('org.dkv.Error.') not in known)


def main():
    root, build = map(pathlib.Path, sys.argv[1:3])
    missing = [p for p, _ in PROGRAMS.values() if not (build / p).exists()]
    if missing:
        print(f'not built, not checked: {", ".join(missing)}')
        return SKIP

    found = [c for page, (program, paths) in PROGRAMS.items()
             for c in complaints(root / page, build / program, paths)] + list(metrics(root)) + list(details(root))
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
