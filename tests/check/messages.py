#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages for operators tell what failed, why, and what to do. Usage: messages.py SOURCE-ROOT ...

"%m" stands at the end behind ": ", where the log explains it (see lib/base/log.h), or in parentheses
with words of the message's own behind it. Before it there is a sentence. Only what the log prints
is explained; elsewhere error_format_reason() is asked."""

import pathlib
import re
import sys

DIRECTORIES = ['daemons', 'lib']
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
FORMAT = re.compile(rf'{LITERAL}(?:\s*(?:PRI\w+\s*)?{LITERAL})*')
CALL = re.compile(r'\b(?!sizeof)(\w+)\s*\(')
LOGS = re.compile(r'log_(?:error|warning|debug|full)_errno')

# Who makes reasons of errors.
EXPLAINS = ['lib/base/error.c', 'lib/base/log.c']


def conversions(text):
    """Where the error is in a format: %m, but neither %%m nor a moment's %m."""
    return [m.start() for m in re.finditer(r'(?<!%)%m(?!-%d)', text)]


def complaint(function, text):
    if not LOGS.fullmatch(function):
        return 'only the log explains %m: use error_format_reason()'
    for at in conversions(text):
        behind, before = text[at + 2:], text[:at]
        if behind == '':
            if not before.endswith(': ') or len(before.split()) < 3:
                return 'say what failed, and ": %m" behind it'
        elif not (before.endswith('(') and behind.startswith(')') and len(behind.split()) > 2):
            return '%m stands at the end, or in parentheses with advice behind it'
    return None


def formats(source):
    """Yields each format of SOURCE that has an error in it: where, the function, the text."""
    for m in FORMAT.finditer(source):
        text = ''.join(part for part in re.findall(LITERAL, m[0]))
        if conversions(text):
            yield m.start(), CALL.findall(source[:m.start()])[-1], text


def main(root):
    status = 0
    for directory in DIRECTORIES:
        for path in sorted((root / directory).rglob('*.c')):
            name = str(path.relative_to(root))
            source = path.read_text()
            for at, function, text in formats(source):
                why = None if name in EXPLAINS else complaint(function, text)
                if why:
                    print(f'{name}:{source.count(chr(10), 0, at) + 1}: {why}')
                    status = 1
    return status


sys.exit(main(pathlib.Path(sys.argv[1])))
