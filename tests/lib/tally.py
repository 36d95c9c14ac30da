#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the tests in a report of meson (testlog.json) or pytest (JUnit XML).

Usage: tally.py REPORT FAILURES

Prints "N passed, N failed, N skipped". A cmocka program counts as many tests as there are in it.
A missing report is a failure, because something died before it could write one.
What failed is added to the file FAILURES, with the end of what it printed but for a daemon's news.
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

LINES_MAX = 40  # of what a test that failed has printed
NEWS = re.compile(r'\d{4}-\d\d-\d\d \S+ (notice|info|debug) ')  # a daemon's; hides the reason
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
    """Returns the sum, and a list of (name, output) of what failed."""
    tests = [json.loads(line) for line in text.splitlines()]
    failures = [(test['name'], test.get('stdout', '') + test.get('stderr', ''))
                for test in tests if RESULTS.get(test['result'], 'failed') == 'failed']
    return sum((tally_program(test) for test in tests), collections.Counter()), failures


def tally_junit(text):
    """Like tally_meson()."""
    root = xml.etree.ElementTree.fromstring(text)
    total = collections.Counter()
    for suite in root.iter('testsuite'):
        failed = int(suite.get('failures')) + int(suite.get('errors'))
        skipped = int(suite.get('skipped'))
        total.update(failed=failed, skipped=skipped,
                     passed=int(suite.get('tests')) - failed - skipped)
    failures = [(f'{case.get("classname")}.{case.get("name")}', fault.text or '')
                for case in root.iter('testcase')
                for fault in (*case.iter('failure'), *case.iter('error'))]
    return total, failures


def main():
    report, told = map(pathlib.Path, sys.argv[1:])
    if not report.exists():
        total, failures = collections.Counter(failed=1), [(f'no report {report}', '')]
    elif report.suffix == '.json':
        total, failures = tally_meson(report.read_text())
    else:
        total, failures = tally_junit(report.read_text())

    with told.open('a') as file:
        for name, output in failures:
            lines = [line for line in output.splitlines() if not NEWS.match(line)]
            print(name, *lines[-LINES_MAX:], sep='\n    ', file=file)
    print(f'{total["passed"]} passed, {total["failed"]} failed, {total["skipped"]} skipped')


main()
