#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the tests in a report of meson (testlog.json) or pytest (JUnit XML). Usage: tally.py REPORT

Prints "N passed, N failed, N skipped". A cmocka program counts as many tests as there are in it.
A missing report is a failure, because something died before it could write one.
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

RESULTS = {'OK': 'passed', 'EXPECTEDFAIL': 'passed', 'SKIP': 'skipped'}


def tally_program(test):
    """One line of meson's testlog.json: a program, with its output."""
    result = RESULTS.get(test['result'], 'failed')
    output = test.get('stdout', '') + test.get('stderr', '')
    inner = collections.Counter({
        word.lower(): sum(map(int, re.findall(rf'^\[ +{word} +\] (\d+) test', output, re.M)))
        for word in ('PASSED', 'FAILED', 'SKIPPED')})
    if result == 'skipped' or not inner.total():
        return collections.Counter({result: 1})
    if result == 'failed' and not inner['failed']:
        inner['failed'] = 1  # each test was fine, but a sanitizer was not
    return inner


def tally_meson(text):
    return sum((tally_program(json.loads(line)) for line in text.splitlines()),
               collections.Counter())


def tally_junit(text):
    total = collections.Counter()
    for suite in xml.etree.ElementTree.fromstring(text).iter('testsuite'):
        failed = int(suite.get('failures')) + int(suite.get('errors'))
        skipped = int(suite.get('skipped'))
        total.update(failed=failed, skipped=skipped,
                     passed=int(suite.get('tests')) - failed - skipped)
    return total


def main():
    path = pathlib.Path(sys.argv[1])
    if not path.exists():
        total = collections.Counter(failed=1)
    elif path.suffix == '.json':
        total = tally_meson(path.read_text())
    else:
        total = tally_junit(path.read_text())
    print(f'{total["passed"]} passed, {total["failed"]} failed, {total["skipped"]} skipped')


main()
