# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes come and go under a load that checks every byte, and in the middle of each job the master
and a volume are killed: nothing is lost, wrong or left over, and no more is moved than has to be.

$DKV_ELASTIC=full takes more values, all steps for both numbers of copies, and minutes; $DKV_SEED
repeats the moments of the kills."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import time

import pytest

from cluster import BENCH, wait_for

FULL = os.environ.get('DKV_ELASTIC') == 'full'
SMALL, LARGE, LARGE_SIZE = (200_000, 200, 16 << 20) if FULL else (10_000, 8, 2 << 20)
SEED = int(os.environ.get('DKV_SEED', random.randrange(1 << 32)))

# Of these keys the load writes the first tenth, and reads all.
WRITTEN = 10

# A job shall not be over before somebody is killed in its middle.
RATE = 0 if FULL else (SMALL * 1024 + LARGE * LARGE_SIZE) // 14

SETTINGS = {'AutoAddVolumes': 'no', 'GraceSec': '6s', 'TicketSec': '3s', 'VolumeTimeoutSec': '1s'}
PATIENCE = 1200 if FULL else 120
MOVED_MAX = {1: 1.02, 2: 1.10}

STEPS = {1: [('add', {4}), ('delete', {2})], 2: [('add', {5, 6}), ('delete', {1, 5})]}
if FULL:
    STEPS = dict.fromkeys(STEPS, STEPS[1] + STEPS[2])

BASE = {*(f's/{i}' for i in range(SMALL // WRITTEN, SMALL)),
        *(f'l/{i}' for i in range(-(-LARGE // WRITTEN), LARGE))}


class Load:
    """dkv-bench on keys with this prefix, which tries again what fails for want of a server."""

    def __init__(self, cluster, verb, prefix, keys, *arguments):
        self.process = subprocess.Popen([
            'setpriv', '--pdeathsig=KILL', BENCH, '--json', '--progress=no', '--allow-errors',
            '--duration=1h', '--timeout=10s', '--retry=1min', '--pattern=random',
            f'--prefix={prefix}', f'--keys={keys}', *arguments, verb, cluster.url],
            stdout=subprocess.PIPE, text=True, start_new_session=True)

    def stop(self):
        """Returns what it says about itself, which has to be that nothing was wrong."""
        assert self.process.poll() is None, f'dkv-bench ended with {self.process.returncode}'
        self.process.send_signal(signal.SIGINT)
        report = json.loads(self.process.communicate(timeout=120)[0])
        assert report['failures'] == 0, report
        assert report['requests'] > 0
        return report

    def abandon(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def mixed_load(cluster, ledger):
    """32 connections. Yields what stops it and returns the reports."""
    noted = f'--acknowledged={ledger}'
    loads = [
        Load(cluster, 'mixed', 's/', SMALL // WRITTEN, '--connections=12', '--read=50', noted),
        Load(cluster, 'get', 's/', SMALL, '--connections=12'),
        Load(cluster, 'mixed', 'l/', max(LARGE // WRITTEN, 4), '--connections=4', '--read=50',
             f'--size={LARGE_SIZE}', '--rate=2', noted),
        Load(cluster, 'get', 'l/', LARGE, '--connections=4', '--rate=4'),
    ]
    try:
        yield lambda: [load.stop() for load in loads]
    finally:
        for load in loads:
            load.abandon()


def fill(cluster, ledger):
    for prefix, keys, size, n in ('s/', SMALL, 1024, 32), ('l/', LARGE, LARGE_SIZE, 4):
        cluster.bench('put', f'--prefix={prefix}', f'--keys={keys}', f'--count={keys}',
                      f'--size={size}', f'--connections={n}', f'--acknowledged={ledger}')


def check(cluster, ledger):
    done = subprocess.run([BENCH, '--json', '--progress=no', 'check', ledger, cluster.url],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)['ok'] == SMALL + LARGE


def locate(cluster, keys):
    """The volumes of each key's copies. Asks for many in one go: the answer is short, the way
    long."""
    where, keys = {}, list(keys)
    with socket.create_connection(('127.0.0.1', cluster.master.port), timeout=60) as one:
        stream = one.makefile('rb')
        for first in range(0, len(keys), 100):
            some = keys[first:first + 100]
            one.sendall(b''.join(b'GET /-/where/%s HTTP/1.1\r\nHost: dkv\r\n\r\n' % key.encode()
                                 for key in some))
            for key in some:
                size = 0
                assert b' 200 ' in stream.readline()
                while (line := stream.readline().lower()) != b'\r\n':
                    if line.startswith(b'content-length:'):
                        size = int(line[15:])
                copies = re.findall(rb'"volume": ?(\d+)', stream.read(size))
                where[key] = {int(number) for number in copies}
                assert len(where[key]) == len(copies) > 0
    return where


def states(cluster):
    return {volume['number']: volume['state'] for volume in cluster.health()['volumes']}


def job(cluster, number):
    return cluster.dkvadm_json('job', 'show', number)


def kill(cluster, who):
    cluster.kill(who)
    cluster.start(who)
    wait_for(lambda: is_there(cluster, who), f'{who} again')


def is_there(cluster, who):
    try:
        if who == 'master':
            return cluster.health() and cluster.dkvadm('job', 'list')
        return cluster.health(who)['master']
    except (OSError, AssertionError):
        return False


def run_job(cluster, victims, *arguments):
    """Starts a job with dkvadm, kills each victim at a moment in its middle, and waits for the
    end."""
    answer = cluster.dkvadm_json('volume', *arguments, '--yes', '--no-block', f'--rate={RATE}')
    number, begin = answer['job'], time.monotonic()

    moments = sorted(random.uniform(0.1, 0.7) for _ in victims)
    for moment, victim in zip(moments, random.sample(victims, len(victims))):
        def is_reached():
            # What clients overwrite need not be moved: a job may end before it has moved all that it
            # planned to, and so before the moment.
            now = job(cluster, number)
            assert now['state'] in ('queued', 'running', 'done'), now
            return now['state'] == 'done' or now['bytes_done'] > moment * now['bytes_total'] > 0

        wait_for(is_reached, f'{moment} of job {number}', PATIENCE)
        kill(cluster, victim)

    now = wait_for(lambda: job(cluster, number)['state'] not in ('queued', 'running')
                   and job(cluster, number), f'job {number} at its end', PATIENCE)
    assert now['state'] == 'done' and now['error'] == '', now
    print(f'{" ".join(map(str, arguments))}: {now["keys_done"]} keys, '
          f'{now["bytes_done"] >> 20} MiB in {time.monotonic() - begin:.0f} s; killed: {victims}')


def compare(before, after, coming=frozenset(), leaving=frozenset()):
    """How many copies were moved, and how many had to be: those that the new volumes got and those
    that the old ones had."""
    moved = sum(len(after[key] - before[key]) for key in BASE)
    unavoidable = sum(len(after[key] & coming) + len(before[key] & leaving) for key in BASE)
    print(f'   base keys: moved {moved}, unavoidable {unavoidable}: {moved / unavoidable:.4f}')
    return moved / unavoidable


def check_balance(where, active):
    counts = [sum(number in copies for copies in where.values()) for number in active]
    print(f'   copies: {dict(zip(active, counts))}')
    assert max(counts) <= (1.05 if FULL else 1.1) * sum(counts) / len(counts)


def wait_clean(cluster, where):
    """Until the volumes hold what the index names, each of them."""
    active = [number for number, state in states(cluster).items() if state == 'active']

    def clean():
        return (cluster.health()['garbage'] == 0
                and all(cluster.health(number)['pending'] == 0 for number in active))

    wait_for(clean, 'no garbage and nothing pending', PATIENCE)
    assert cluster.health()['keys'] == SMALL + LARGE
    assert {number: cluster.health(number)['objects'] for number in active} == \
        {number: sum(number in copies for copies in where.values()) for number in active}


@pytest.mark.parametrize('copies', [1, 2])
def test_volumes_come_and_go_under_load(new_cluster, tmp_path, copies):
    print(f'DKV_SEED={SEED}')
    random.seed(SEED)
    ledger = tmp_path / 'ledger'
    cluster = new_cluster(volumes=6, copies=copies, bus=True, wait=False, master=SETTINGS)
    wait_for(lambda: is_there(cluster, 'master') and len(states(cluster)) == 6, 'all known')
    cluster.dkvadm('volume', 'add', 1, 2, 3, '--yes')
    fill(cluster, ledger)

    active, where, ratios = {1, 2, 3}, locate(cluster, BASE), []
    with mixed_load(cluster, ledger) as stop:
        for verb, numbers in STEPS[copies]:
            victim = random.choice(sorted(active | numbers))
            run_job(cluster, ['master', victim], verb, *sorted(numbers))

            before, where = where, locate(cluster, BASE)
            if verb == 'add':
                active |= numbers
                ratios.append(compare(before, where, coming=numbers))
            else:
                active -= numbers
                ratios.append(compare(before, where, leaving=numbers))
                assert not any(places & numbers for places in where.values())
                assert all(states(cluster)[number] == 'removed' for number in numbers)
            assert all(len(places) == copies for places in where.values())
            check_balance(where, sorted(active))
        for report in stop():
            print(f'   {report["verb"]}: {report["requests"]} requests, {report["retries"]} of '
                  f'them repeated, {report["failures"]} failed')

    assert max(ratios) <= MOVED_MAX[copies]
    check(cluster, ledger)
    wait_clean(cluster, locate(cluster, [*(f's/{i}' for i in range(SMALL)),
                                         *(f'l/{i}' for i in range(LARGE))]))
    check(cluster, ledger)
