# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs of the master as busctl starts, watches and ends them, and values for them to move."""

import concurrent.futures
import json
import subprocess

from cluster import DEADLINE, wait_for

MANAGER = ('/org/dkv/Master1', 'org.dkv.Master1.Manager')
BY_HAND = {'AutoAddVolumes': 'no'}
SHORT = {'GraceSec': '4s', 'TicketSec': '1s'}
ENDED = ('done', 'failed', 'cancelled')
PATIENCE = 4 * DEADLINE

# A drain waits until no write can be under way that was begun before.
DRAIN_PATIENCE = 300 + PATIENCE


def busctl(cluster, *arguments, check=True):
    done = subprocess.run(
        ['busctl', f'--address={cluster.bus.address}', '--json=short', *map(str, arguments)],
        capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert not check or done.returncode == 0, f'{done.args}: {done.stdout}{done.stderr}'
    return json.loads(done.stdout)['data'] if done.stdout.strip() else None


def call(cluster, method, *arguments, where=MANAGER):
    return busctl(cluster, 'call', 'org.dkv.Master1', *where, method, *arguments)


def job(cluster, path):
    """The properties of a job, None while the master is not there."""
    try:
        (found,) = busctl(cluster, 'call', 'org.dkv.Master1', path,
                          'org.freedesktop.DBus.Properties', 'GetAll', 's', 'org.dkv.Master1.Job')
    except AssertionError:
        return None
    return {name: value['data'] for name, value in found.items()}


def wait_job(cluster, path, *states, deadline=PATIENCE):
    def is_there():
        now = job(cluster, path)
        assert not now or now['State'] in states or now['State'] not in ENDED, now
        return now and now['State'] in states and now

    return wait_for(is_there, f'{path} {states}', deadline)


def act(cluster, path, method, *arguments):
    return call(cluster, method, *arguments, where=(path, 'org.dkv.Master1.Job'))


def add(cluster, *numbers, rebalance=True):
    """Makes volumes active. Returns the path of the job."""
    def try_it():
        done = subprocess.run(
            ['busctl', f'--address={cluster.bus.address}', '--json=short', 'call',
             'org.dkv.Master1', *MANAGER, 'AddVolumes', 'aua{sv}', str(len(numbers)),
             *map(str, numbers), '1', 'rebalance', 'b', str(rebalance).lower()],
            capture_output=True, text=True, timeout=DEADLINE, check=False)
        return done.returncode == 0 and json.loads(done.stdout)['data']

    return wait_for(try_it, f'{numbers} added')[0]


def delete(cluster, *numbers, accept_loss=False):
    return call(cluster, 'DeleteVolumes', 'aua{sv}', len(numbers), *numbers, 1, 'accept-loss', 'b',
                str(accept_loss).lower())[0]


def value_of(i):
    return f'value {i} '.encode() * (100 if i % 100 else 9000)  # some in files of their own


def fill(cluster, n):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda i: cluster.put(f'k/{i:05}', value_of(i)), range(n)):
            answer.expect(201, 204)


def read_all(cluster, n):
    def check(i):
        assert cluster.get(f'k/{i:05}').expect(200).body == value_of(i)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(n)))


def copies(cluster, n):
    """How many copies each volume has, as the index says."""
    count = dict.fromkeys(cluster.volumes, 0)
    for i in range(n):
        for copy in cluster.where(f'k/{i:05}')['copies']:
            count[copy['volume']] += 1
    return count
