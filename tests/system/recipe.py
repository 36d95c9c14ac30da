#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recipes of dkv-operations(7), for tests/system/recipes.

    recipe.py steps PAGE TITLE [FROM=TO]...    the commands below a title (.SH or .SS), each as four
                                               fields that end with NUL: machine, exit status,
                                               command, what it prints
    recipe.py compare EXPECTED                 whether stdin is what was to be printed

Commands stand between .EX and .EE, behind a prompt with the machine's name: "alpha# ". They go on as
long as lines end with a backslash. The line .\\" exit N before one names its exit status. Below it stands
what it prints: "..." alone on a line is any number of lines, and at the end of a line anything; sizes, times and
versions may be others, and so may the width of tables. FROM=TO are other words for this time."""

import re
import sys

ESCAPES = {'\\-': '-', '\\e': '\\', '\\&': '', '\\(ti': '~', '\\(aq': "'", '\\(ha': '^', '\\(bu': '●'}

# What is different each time.
VARYING = [
    r'\b\d+(?= +(?:now|[\d minsh]+ago)$)',  # objects, which a volume reports each second
    r'\b\d+(?:\.\d+)?[kM]?(?= of\b| keys\b| values\b)',
    r'(?<=of )\d+(?:\.\d+)?[kM]?(?= keys\b)',
    r'\bjob [1-9]\d*\b|\bJob [1-9]\d*\b',
    r'\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b',
    r'\b\d\d:\d\d:\d\d\b',
    r'\b\d+(?:\.\d+)?[BKMGT]\b',
    r'\b\d+(?:\.\d+)?%',
    r'\b(?:\d+(?:ms|s|min|h|d)\b ?)+(?:ago)?',
    r'\bnow\b',
    r'\bepoch \d+',
    r'\b\d+\.\d+\.\d+(?:[+~]\w+)?(?![\w.])',
]

# What dkvadm says on the way if a volume has not reported yet.
PATIENCE = ' Waiting for it...'

VARYING = re.compile('|'.join(f'(?P<v{number}>{shape})' for number, shape in enumerate(VARYING)))


def text_of(line):
    """A line of roff as it is printed."""
    return re.sub(r'\\(?:\(..|.)', lambda m: ESCAPES[m[0]], line)


def lines_below(page, title):
    """The lines between TITLE and the next one of its rank, or of a higher one."""
    rank, found = None, []
    with open(page, encoding='utf-8') as file:
        for line in file.read().splitlines():
            if m := re.match(r'\.(S[HS]) "?(.*?)"?$', line):
                if rank and (rank == 'SS' or m[1] == 'SH'):
                    break
                if not rank and m[2] == title:
                    rank = m[1]
            elif rank:
                found.append(line)
    if not rank:
        sys.exit(f"'{page}' has no recipe '{title}'.")
    return found


def steps(page, title):
    """Yields [machine, exit status, command, expected]."""
    one, inside, goes_on, status = None, False, False, '0'
    for line in lines_below(page, title):
        if line in ('.EX', '.EE'):
            inside = line == '.EX'
        elif inside and (m := re.match(r'\.\\" exit (\d+)$', line)):
            status = m[1]
        elif inside:
            text = text_of(line)
            if m := re.match(r'(\w+)# ', text):
                if one:
                    yield one
                one, status = [m[1], status, '', ''], '0'
                text = text[m.end():]
            elif not one:
                continue  # no session
            elif not goes_on:
                one[3] += f'{text}\n'
                continue
            one[2] += f'{text}\n'
            goes_on = text.endswith('\\')
    if one:
        yield one


# How a plan goes on: it depends on when old copies are deleted.
WAITING = re.compile(r'\. The job waits until [\d:]+, when old copies are deleted\.$')


def same_kind(text):
    """What varies, by the kind that it is."""
    text = WAITING.sub(', in about 1s.', text)
    shape = VARYING.sub(lambda m: f'<{m.lastgroup}>', text)
    return re.sub(r'<v[89]>', '<time>', ' '.join(shape.split()))


def pattern(expected):
    lines = []
    for line in expected.splitlines():
        words = same_kind(line)
        if words == '...':
            lines.append('(?:.*\n)*?')
        elif words.endswith('...'):
            lines.append(re.escape(words[:-3].rstrip()) + '.*\n')
        else:
            lines.append(re.escape(words) + '\n')
    return re.compile(''.join(lines))


def compare(expected):
    printed = [same_kind(line) for line in sys.stdin.read().splitlines() if not line.endswith(PATIENCE)]
    return pattern(expected).fullmatch(''.join(f'{line}\n' for line in printed)) is not None


if sys.argv[1] == 'compare':
    sys.exit(not compare(sys.argv[2]))
for step in steps(sys.argv[2], sys.argv[3]):
    for field in step:
        for substitution in sys.argv[4:]:
            field = field.replace(*substitution.split('=', 1))
        print(field.removesuffix('\n'), end='\0')
