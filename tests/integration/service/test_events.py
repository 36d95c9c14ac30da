# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm events, with a real journal."""

import contextlib
import json
import re
import subprocess
import time

import pytest

from cluster import DEADLINE, DKVADM, SOURCE
from journal import JOURNALD, Journal

IDS = dict(re.findall(r'#define EVENT_(\w+)\s+"(\w+)"',
                      (SOURCE / 'lib/base/event-ids.h').read_text()))


@pytest.fixture(scope='module')
def journal(tmp_path_factory):
    if not JOURNALD:
        pytest.skip('no systemd-journald here')
    try:
        one = Journal(tmp_path_factory.mktemp('journal'))
    except OSError as error:
        pytest.skip(f'systemd-journald does not run here: {error}')

    one.log(MESSAGE='Volume 1 is new.', MESSAGE_ID=IDS['VOLUME_NEW'], DKV_VOLUME='1',
            SYSLOG_IDENTIFIER='dkv-master', PRIORITY='5')
    one.log(MESSAGE='Something else.', SYSLOG_IDENTIFIER='dkv-master')
    one.log(MESSAGE='Of another program.', MESSAGE_ID='0123456789abcdef0123456789abcdef')
    one.log(MESSAGE='Volume 2 is down.', MESSAGE_ID=IDS['VOLUME_DOWN'], DKV_VOLUME='2',
            SYSLOG_IDENTIFIER='dkv-master', PRIORITY='4')
    one.log(MESSAGE='Key \033[31mred\nover two lines.', MESSAGE_ID=IDS['CORRUPTION_FOUND'],
            DKV_VOLUME='1', DKV_KEY='a/b', SYSLOG_IDENTIFIER='dkv-volume', PRIORITY='3')
    yield one
    one.close()


def events(journal, *arguments, status=0):
    done = subprocess.run([DKVADM, 'events', f'--directory={journal.directory}', *arguments],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == status, f'{done.args}: {done.stdout}{done.stderr}'
    return done.stdout.splitlines()


def names(journal, *arguments):
    return [json.loads(line)['event'] for line in events(journal, '--json=short', *arguments)]


@pytest.mark.sanitize
def test_table(journal):
    title, *rows = events(journal)
    assert title.split() == ['TIME', 'UNIT', 'EVENT', 'MESSAGE']
    assert [row.split()[2:4] for row in rows] == [
        ['dkv-master', 'volume-new'], ['dkv-master', 'volume-down'],
        ['dkv-volume', 'corruption-found']]
    assert rows[0].endswith('Volume 1 is new.')
    assert re.match(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ', rows[0])
    assert rows[2].endswith('Key ?[31mred over two lines.')  # no message commands the terminal
    assert events(journal, '--no-legend') == rows


def test_json(journal):
    last = json.loads(events(journal, '--json=short')[-1])
    assert abs(last.pop('time') / 1e6 - time.time()) < 3600
    assert last == {'unit': 'dkv-volume', 'event': 'corruption-found', 'priority': 3,
                    'message_id': IDS['CORRUPTION_FOUND'],
                    'message': 'Key ?[31mred over two lines.',
                    'fields': {'DKV_VOLUME': '1', 'DKV_KEY': 'a/b'}}
    assert len(events(journal, '--json=pretty')) > 20


def test_choice(journal):
    assert names(journal, '--volume=1') == ['volume-new', 'corruption-found']
    assert names(journal, '--volume=12') == []
    assert names(journal, '-n', '1') == ['corruption-found']
    assert names(journal, '-n', '2') == ['volume-down', 'corruption-found']
    assert names(journal, '-n', '3') == names(journal, '-n', '99') == names(journal)
    assert names(journal, '-n', '1', '--volume=2') == ['volume-down']


def test_since(journal):
    assert names(journal, '--since=1h ago') == names(journal)
    assert names(journal, '--since=2099-01-01') == []
    assert names(journal, '--since=2099-01-01', '-n', '2') == []
    first, second = (json.loads(line)['time'] for line in events(journal, '--json=short')[:2])
    assert first < second


def test_follow(journal):
    with following(journal) as lines:
        assert [next(lines)['event'] for _ in range(2)] == ['volume-down', 'corruption-found']
        journal.log(MESSAGE='Not this.', SYSLOG_IDENTIFIER='dkv-master')
        journal.log(MESSAGE='Volume 2 is up.', MESSAGE_ID=IDS['VOLUME_UP'], DKV_VOLUME='2')
        assert next(lines)['message'] == 'Volume 2 is up.'


@contextlib.contextmanager
def following(journal):
    process = subprocess.Popen(
        ['timeout', str(DEADLINE), DKVADM, 'events', '-f', '-n', '2', '--json=short',
         f'--directory={journal.directory}'], stdout=subprocess.PIPE, text=True)
    try:
        yield map(json.loads, process.stdout)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_no_journal(tmp_path):
    done = subprocess.run([DKVADM, 'events', '-D', tmp_path / 'none'], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and 'none' in done.stderr
