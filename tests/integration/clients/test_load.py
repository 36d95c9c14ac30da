# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many clients at once, with every byte checked; under a sanitizer this is where data races show."""

import subprocess

import pytest

from cluster import BENCH, CURL


def load(cluster, verb, *arguments):
    """Nothing may fail but reads of keys that nobody has written yet."""
    report = cluster.bench(verb, '--allow-errors', '--duration=4s', '--keys=500', *arguments)
    assert report['requests'] > 0
    assert not {kind for kind, n in report['errors'].items() if n > 0} - {'missing'}, report


@pytest.mark.threads
@pytest.mark.parametrize('copies', [1, 2])
def test_mixed_load(new_cluster, copies):
    cluster = new_cluster(copies=copies)

    load(cluster, 'mixed', '--size=1-40000')
    load(cluster, 'mixed', '--size=1K-1M', '--chunked=yes')
    load(cluster, 'delete')


@pytest.mark.threads
def test_proxied_and_verified_reads_during_overwrites(new_cluster, tmp_path):
    cluster = new_cluster(copies=2)
    file = tmp_path / 'file'
    file.write_bytes(bytes(range(256)) * 8192)

    with subprocess.Popen([BENCH, '--progress=no', '--allow-errors', '--duration=5s', '--keys=100',
                           '--size=1K-500K', 'put', cluster.url], stdout=subprocess.DEVNULL) as put:
        for i in range(5):
            url = f'{cluster.url}/file/{i}'
            subprocess.run([*CURL, '--fail', '-L', '-T', file, url], check=True)
            for query in '?proxy=1', '?verify=1':
                done = subprocess.run([*CURL, '--fail', '-L', url + query], check=True,
                                      capture_output=True)
                assert done.stdout == file.read_bytes()
        assert put.wait() == 0
