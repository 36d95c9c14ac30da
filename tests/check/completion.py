#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs offer for completion what their help tells of, no more and no less, and the shells' files are
for all of these programs. Usage: completion.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import subprocess
import sys

PROGRAMS = ['dkvadm', 'dkv-bench', 'dkv-sandbox']
SKIP = 77


def output(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10).stdout


def offered(program, *words):
    return {line.partition('\t')[0] for line in output(program, '--complete', *words).splitlines()}


def options(text):
    """The long options that begin a line of a help text."""
    return set(re.findall(r'^ +(?:-\w, )?(--[\w-]+)', text, re.M))


def verbs(program, text):
    """Those of a help text, as lists of words."""
    if program.name == 'dkvadm':  # where arguments are upper case or NAME=N, and two blanks end them
        lines = re.search(r'^Verbs:\n(.*?)\n\n', text, re.M | re.S)[1].splitlines()
        for line in lines:
            words = re.split(r'  +| (?=[A-Z\[]|\w+=)', line.strip())[0].split()
            yield words
    else:
        yield from ([verb] for verb in re.findall(r'^  ([a-z]+) +(?:\[URL\]|FILE|DIR)', text, re.M))


def differences(where, offer, wanted):
    yield from (f'{where}: "{one}" is not offered' for one in sorted(wanted - offer))
    yield from (f'{where}: "{one}" is offered, but is in no help text' for one in sorted(offer - wanted))


def complaints(program):
    help_ = output(program, '--help')
    known = list(verbs(program, help_))
    yield from differences(program.name, offered(program, ''), {verb[0] for verb in known})
    for first in {verb[0] for verb in known if len(verb) == 2}:
        yield from differences(f'{program.name} {first}', offered(program, first, ''),
                               {verb[1] for verb in known if verb[0] == first})

    common = options(help_)
    yield from differences(program.name, {o.partition('=')[0] for o in offered(program, '--')}, common)
    for verb in known if program.name == 'dkvadm' else []:
        special = options(output(program, *verb, '--help'))
        yield from differences(f'{program.name} {" ".join(verb)}',
                               {o.partition('=')[0] for o in offered(program, *verb, '--')}, common | special)


def complaints_about_files(root, adm):
    """The shells know of all programs, and what is asked of the cluster is asked for somewhere."""
    for name in 'dkvadm.bash', '_dkvadm':
        text = (root / 'cli/adm/completions' / name).read_text()
        yield from (f'cli/adm/completions/{name}: nothing about {p}' for p in PROGRAMS
                    if not re.search(rf'^(?:complete|#compdef).*\b{p}\b', text, re.M))

    help_ = output(adm, '--help')
    known = {' '.join(verb) for verb in verbs(adm, help_)}
    everything = help_ + ''.join(output(adm, *verb.split(), '--help') for verb in sorted(known))
    source = (root / 'cli/adm/answer.c').read_text()
    for verb, name in re.findall(r'^ +{ (?:NULL|"([^"]+)"), +"([^"]+)",', source, re.M):
        if verb and verb not in known:
            yield f'cli/adm/answer.c: there is no verb "{verb}"'
        if not re.search(rf'(?<![\w-]){name}(?![\w-])', everything):
            yield f'cli/adm/answer.c: nothing is called "{name}"'


def main():
    root, build = map(pathlib.Path, sys.argv[1:])
    programs = [build / 'cli' / name for name in PROGRAMS]
    if not all(program.exists() for program in programs):
        print('the programs are not built, nothing checked')
        return SKIP

    found = [c for program in programs for c in complaints(program)]
    found += complaints_about_files(root, programs[0])
    print('\n'.join(found))
    return bool(found)


sys.exit(main())
