#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The form that HACKING.md asks for, as far as a program can tell. Usage: format.py SOURCE-ROOT"""

import pathlib
import re
import shutil
import subprocess
import sys

# Releases of clang-format disagree; this is the one that decides.
CLANG_FORMAT = 14

DIRECTORIES = ['.ci', 'cli', 'daemons', 'etc', 'lib', 'packaging', 'tests', 'units']
LINES_MAX = {'.c': 600, '.h': 150}
FUNCTION_LINES_MAX = 60

MARKS = re.compile(r'\b(TOD[O]|FIXM[E]|X{3}|HAC[K])\b')
LITERAL_OR_COMMENT = re.compile(
    r'''"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|/\*.*?\*/|(?P<line>//)''', re.DOTALL)


def is_source(path, text):
    return path.suffix in ('.c', '.h', '.py', '.sh', '.conf') or path.name.startswith('meson') \
        or text.startswith('#!')


def sources(root):
    """All files that people write code in, with their texts."""
    paths = [p for d in DIRECTORIES for p in (root / d).rglob('*') if 'corpus' not in p.parts]
    for path in sorted([*paths, *root.glob('meson*')]):
        if path.is_file() and path.suffix != '.pyc':
            text = path.read_text(errors='replace')
            if is_source(path, text):
                yield path, text


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def long_functions(lines):
    """Yields (first line, number of lines) of the functions over the budget. In our form each begins
    in the first column, and only functions end with a lone brace there."""
    begin = None
    for number, line in enumerate(lines, 1):
        if line == '}':
            if number - begin + 1 > FUNCTION_LINES_MAX:
                yield begin, number - begin + 1
        elif re.match(r'[A-Za-z_]', line) and not re.match(r'\w+:$', line):
            begin = number


def complaints_about_c(path, text):
    lines = text.splitlines()
    if len(lines) > LINES_MAX[path.suffix]:
        yield len(lines), f'more than {LINES_MAX[path.suffix]} lines'
    for m in LITERAL_OR_COMMENT.finditer(text):
        if m['line']:
            yield line_of(text, m.start()), '// comment'
    for number, length in long_functions(lines):
        yield number, f'a function of {length} lines, more than {FUNCTION_LINES_MAX}'


def complaints_about_text(path, text):
    lines = text.splitlines()
    is_makefile = text.startswith('#!/usr/bin/make')
    if not any('SPDX-License-Identifier: LGPL-2.1-or-later' in line for line in lines[:2]):
        yield 1, 'no SPDX-License-Identifier in the first two lines'
    for number, line in enumerate(lines, 1):
        if '\t' in line and not is_makefile:
            yield number, 'tab'
        if line != line.rstrip():
            yield number, 'blanks at the end'
        if m := MARKS.search(line):
            yield number, f'unfinished business: {m[0]}'
    if not text.endswith('\n'):
        yield len(lines), 'no newline at the end'
    if path.suffix in LINES_MAX:
        yield from complaints_about_c(path, text)


def clang_format():
    """The program of the right release, or None."""
    for name in (f'clang-format-{CLANG_FORMAT}', 'clang-format'):
        if shutil.which(name):
            version = subprocess.check_output([name, '--version'], text=True)
            if f'version {CLANG_FORMAT}.' in version:
                return name
    return None


def complaints(root):
    files = list(sources(root))
    for path, text in files:
        for number, what in complaints_about_text(path, text):
            yield f'{path.relative_to(root)}:{number}: {what}'

    program = clang_format()
    if not program:
        print(f'clang-format {CLANG_FORMAT} is not installed: the layout of C is not checked')
        return
    result = subprocess.run(
        [program, '--dry-run', '-Werror', *(p for p, _ in files if p.suffix in LINES_MAX)],
        capture_output=True, text=True)
    first = {}
    for path, number in re.findall(r'^(.+?):(\d+):\d+: error: ', result.stderr, re.M):
        first.setdefault(pathlib.Path(path).relative_to(root), number)
    yield from (f'{path}:{number}: clang-format -i changes this file' for path, number in first.items())


found = list(complaints(pathlib.Path(sys.argv[1]).resolve()))
print('\n'.join(found))
sys.exit(bool(found))
