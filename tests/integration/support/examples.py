# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of a man page: what stands between .EX and .EE there, as somebody would type it.

A line that begins with "$ " is a command, which goes on as long as lines end with a backslash;
below it stands what it prints. In that, "..." is anything within the line, or, alone on a line, any
number of lines; dates are any dates, and volumes any volumes. A cluster has the ports from 3000 on in
the pages, and others in the tests."""

import os
import re
import subprocess

from cluster import BUILD, SOURCE

ESCAPES = {'-': '-', 'e': '\\', '&': '', '(ti': '~', '(aq': "'", '(ha': '^'}

# What is different each time, and what it looks like then.
VARYING = [
    (r'\.\.\.', r'.*'),
    (r'\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT', None),
    (r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', None),
    (r'http://127\.0\.0\.1:300[1-9]', None),
    (r'"volume":\d+', None),
]
CONTINUE = re.compile(r'HTTP/1\.1 100 Continue\n\n')
MARK = '\x1e'  # printed behind each command


class Example:
    def __init__(self, page, line):
        self.page, self.line, self.command, self.expected = page, line, '', ''

    def __str__(self):
        return f'{self.page}:{self.line}: {self.command}'


def text_of(line):
    """A line of roff as it is printed; examples have no requests and no fonts in them."""
    assert '\\f' not in line and not line.startswith(('.', "'")), line
    return re.sub(r'\\(?:\[u(\w+)\]|(\(..|.))',
                  lambda m: chr(int(m[1], 16)) if m[1] else ESCAPES[m[2]], line)


def examples(page):
    """Yields the examples of man/PAGE."""
    one, inside, goes_on = None, False, False
    for number, line in enumerate((SOURCE / 'man' / page).read_text().splitlines(), 1):
        if line in ('.EX', '.EE'):
            inside = line == '.EX'
            if one:
                yield one
            one = None
        elif inside:
            text = text_of(line)
            if text.startswith('$ '):
                if one:
                    yield one
                one = Example(page, number)
                text = text[2:]
            elif not one:
                continue  # no session
            elif not goes_on:
                one.expected += f'{text}\n'
                continue
            one.command += f'{text}\n'
            goes_on = text.endswith('\\')


class Ports:
    """Where a cluster has its ports, and where it has them in the page: FIRST to FIRST + 9."""

    def __init__(self, there, first=3000):
        self.there, self.first = there, first

    def moved(self, text):
        return re.sub(rf'(?<=[:=]){self.first // 10}(\d)\b', lambda m: str(self.there + int(m[1])), text)

    def moved_back(self, text):
        return re.sub(r'(?<=[:=])(\d{4,5})\b', lambda m: str(int(m[1]) - self.there + self.first)
                      if self.there <= int(m[1]) < self.there + 10 else m[0], text)


def plain(output, ports):
    """What a command has printed, as far as it is to be as in the page."""
    text = CONTINUE.sub('', ports.moved_back(output.replace('\r', ''))).rstrip()
    return f'{text}\n' if text else ''


def pattern(expected):
    """A regular expression for what stands below a command; empty lines at its end do not show."""
    lines = ['(?:.*\n)*?' if line.strip() == '...' else f'{pattern_of_line(line)}\n'
             for line in expected.rstrip().splitlines()]
    return re.compile(''.join(lines))


def pattern_of_line(line):
    pieces, position = [], 0
    for found in re.finditer('|'.join(f'({shape})' for shape, _ in VARYING), line):
        shape, other = VARYING[found.lastindex - 1]
        pieces += [re.escape(line[position:found.start()]), other or shape]
        position = found.end()
    return ''.join(pieces) + re.escape(line[position:])


def run(page, directory, ports, environment):
    """Types all the examples of PAGE into one shell in DIRECTORY. Returns each example with what it
    has printed, and what all have said on stderr."""
    wanted = list(examples(page))
    assert wanted, f'{page} has no examples'
    script = ''.join(f'{ports.moved(one.command)}printf {MARK!r}\n' for one in wanted)
    home = directory / 'home'
    home.mkdir()
    (home / '.curlrc').write_text('noproxy = *\nmax-time = 60\n')
    done = subprocess.run(
        ['bash', '-c', script], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
        env={**os.environ, 'HOME': str(home), 'DKV_BUILD': str(BUILD),
             'PATH': f'{BUILD}/cli:{os.environ["PATH"]}', **environment})
    printed = done.stdout.split(MARK)[:-1]
    assert len(printed) == len(wanted), f'{wanted[len(printed)]}\n{done.stdout}\n{done.stderr}'
    return [(one, plain(text, ports)) for one, text in zip(wanted, printed)], done.stderr


def check(page, directory, ports, **environment):
    """Fails unless each example prints what stands below it."""
    printed, errors = run(page, directory, ports, environment)
    wrong = [f'{one}--- prints ---\n{text}' for one, text in printed
             if not pattern(one.expected).fullmatch(text)]
    assert not wrong, '\n'.join([*wrong, errors])
