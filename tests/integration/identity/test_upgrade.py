# SPDX-License-Identifier: LGPL-2.1-or-later
"""What earlier releases have stored is read, and goes on, under this one.

stores/format-1.tar.xz has the directories of a master and three volumes with two copies, all killed
by signal 9, from when there was no cluster id, no term and no revision. None of it may be made anew
by a later release: that is what the test is for."""

import pathlib
import tarfile

import pytest

from cluster import Cluster

STORES = pathlib.Path(__file__).parent / 'stores'
SIZES = 0, 1, 100, 1000, 5000, 32768, 32769, 100000
DELETED, OVERWRITTEN = range(0, 64, 9), range(1, 64, 9)
LAST_VERSION = 142  # the highest that a client has seen


def value(i, size):
    return (f'{i}: the value of a key; '.encode() * (size // 10 + 1))[:size]


def values():
    """What must be there, by number."""
    there = {i: value(i, SIZES[i % 8]) for i in range(64) if i not in DELETED}
    return there | {i: value(i + 100, SIZES[(i + 3) % 8]) for i in OVERWRITTEN}


def check(cluster):
    for i, expected in values().items():
        answer = cluster.get(f'old/{i}').expect(200)
        assert answer.body == expected
        if i not in OVERWRITTEN:
            assert answer['Content-Type'] == 'text/x-old'
            assert answer['Dkv-Meta-Number'] == str(i)
    for i in DELETED:
        cluster.get(f'old/{i}').expect(404)


@pytest.fixture
def old_cluster(tmp_path):
    with tarfile.open(STORES / 'format-1.tar.xz') as stores:
        stores.extractall(tmp_path)
    one = Cluster(tmp_path, copies=2)
    yield one
    one.close()


def test_stores_of_format_1_are_upgraded(old_cluster):
    assert old_cluster.health()['status'] == 'ok'
    check(old_cluster)

    for i in DELETED:
        answer = old_cluster.put(f'old/{i}', b'new').expect(201)
        assert int(answer['Dkv-Version']) > LAST_VERSION
        old_cluster.delete(f'old/{i}').expect(204)
    for daemon in old_cluster.daemons:
        daemon.kill()
        daemon.start()
    old_cluster.wait_healthy()
    check(old_cluster)
