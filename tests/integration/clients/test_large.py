# SPDX-License-Identifier: LGPL-2.1-or-later
"""Large values: whole, and without memory that grows with them.

$DKV_LARGE is the size (64M; 5G is what was promised)."""

import hashlib
import os
import re
import subprocess

import pytest

from cluster import CURL

MIB = 1 << 20


def large_size():
    match = re.fullmatch(r'(\d+)([MG])', os.environ.get('DKV_LARGE', '64M'))
    return int(match[1]) * {'M': MIB, 'G': 1024 * MIB}[match[2]]


@pytest.fixture(scope='module')
def large_file(tmp_path_factory):
    """A file and its SHA-256."""
    path = tmp_path_factory.mktemp('large') / 'value'
    block, digest = os.urandom(MIB - 8), hashlib.sha256()
    with open(path, 'wb') as file:
        for n in range(large_size() // MIB):
            for piece in n.to_bytes(8, 'big'), block:
                file.write(piece)
                digest.update(piece)
    yield path, digest.hexdigest()
    path.unlink()


def download(*arguments):
    """The SHA-256 of what curl gets."""
    digest = hashlib.sha256()
    with subprocess.Popen([*CURL, '-L', *arguments], stdout=subprocess.PIPE) as process:
        while piece := process.stdout.read(MIB):
            digest.update(piece)
    assert process.returncode == 0
    return digest.hexdigest()


@pytest.mark.parametrize('copies', [1, 2])
@pytest.mark.parametrize('how', ['redirected', 'relayed', 'chunked'])
def test_round_trip_in_little_memory(new_cluster, large_file, how, copies):
    cluster = new_cluster(volumes=2, copies=copies)
    cluster.put('warm', b'x' * 100000).expect(201)
    before = {daemon.name: daemon.resident() for daemon in cluster.daemons}
    path, digest = large_file
    url = f'{cluster.url}/large'

    arguments = {
        'redirected': ['-T', path],
        'relayed': ['-T', path, '-H', 'Expect:'],
        'chunked': ['-T', '-'],
    }[how]

    with open(path, 'rb') as file:
        put = subprocess.run([*CURL, '-L', '-w', '%{http_code}', *arguments, url],
                             stdin=file, capture_output=True, check=True)
    assert put.stdout == b'201', put
    assert int(cluster.head('large')['Content-Length']) == path.stat().st_size

    for query in '', '?proxy=1', '?verify=1':
        assert download(url + query) == digest

    for daemon in cluster.daemons:
        growth = daemon.resident('VmHWM') - before[daemon.name]
        print(f'{daemon.name}: {growth / MIB:.1f} MiB more at the peak')
        assert growth < 32 * MIB


def test_many_slow_readers_in_little_memory(new_cluster, large_file):
    """A relayed value waits for its reader, not in the master's memory."""
    cluster = new_cluster(volumes=1)
    path, _ = large_file
    assert cluster.curl('-L', '-f', '-T', path, f'{cluster.url}/large').returncode == 0
    before = cluster.master.resident()
    readers = [cluster.raw().head('GET', '/large?proxy=1') for _ in range(8)]
    for reader in readers:
        assert reader.socket.recv(1000)
    cluster.put('other', b'x').expect(201)  # goes on meanwhile
    assert cluster.master.resident('VmHWM') - before < 32 * MIB
    for reader in readers:
        reader.reset()
