# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies that are damaged, missing or unreadable: found, avoided, told, and made again."""

import http.client
import os
import pathlib

import pytest

from cluster import wait_for
from test_faults import FAST, FILE, INLINE

MIB = 1 << 20
LARGE = 3 * MIB + 12345


def file_of(cluster, volume, value):
    """Where a volume has this value, if it has it in a file."""
    return next(path for path in (cluster[volume].data / 'objects').rglob('*')
                if path.is_file() and path.read_bytes()[:len(value)] == value)


def copies_of(cluster, key):
    return [copy['volume'] for copy in cluster.where(key)['copies']]


def flip(path: pathlib.Path, at=None):
    with open(path, 'r+b') as file:
        file.seek(path.stat().st_size // 2 if at is None else at)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def remove(path):
    path.unlink()


def damage_of(cluster, key):
    return {copy['volume']: copy['damage'] for copy in cluster.where(key)['copies']
            if 'damage' in copy}


HARM = {'flipped': flip, 'truncated': truncate, 'removed': remove}
KINDS = {'flipped': 'damaged', 'truncated': 'damaged', 'removed': 'missing'}


def read_all(cluster, key, value, query='', n=8):
    """How many of N reads gave the value; none gives anything else that looks like it."""
    good = 0
    for _ in range(n):
        try:
            answer = cluster.get(key, query)
        except (http.client.IncompleteRead, ConnectionError):
            continue
        assert answer.status in (200, 307, 502, 503), answer
        assert answer.status != 200 or answer.body == value
        good += answer.status == 200
    return good


@pytest.mark.sanitize
@pytest.mark.parametrize('harm', HARM)
def test_readers_go_to_the_other_copy(new_cluster, harm):
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    value = os.urandom(FILE)
    cluster.put('k', value).expect(201)
    HARM[harm](file_of(cluster, 1, value))

    wait_for(lambda: read_all(cluster, 'k', value, '?verify=1', 2) and damage_of(cluster, 'k'),
             'the mark')
    assert damage_of(cluster, 'k') == {1: KINDS[harm]}
    assert read_all(cluster, 'k', value) == 8
    told = cluster[1].log.read_text().count("key 'k' on volume 1")
    assert told == 1
