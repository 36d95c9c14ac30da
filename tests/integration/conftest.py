# SPDX-License-Identifier: LGPL-2.1-or-later
"""`cluster` is shared by the tests of a file; `new_cluster` makes one for a test that hurts it."""

import subprocess

import pytest

from cluster import BENCH, DKVADM, MASTER, SANDBOX, SANITIZED, SUPPORT, VOLUME, Cluster, wait_for
from jobs import BY_HAND, SHORT, add


def pytest_sessionstart():
    for program in MASTER, VOLUME, BENCH, SANDBOX, DKVADM:
        if not program.exists():
            pytest.exit(f'{program} is not built; see $DKV_BUILD', returncode=4)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A failed test shows what the daemons had to say."""
    report = (yield).get_result()
    if report.failed:
        for cluster in Cluster.running:
            for daemon in cluster.daemons:
                report.sections.append((f'log of {daemon.name}', daemon.log_tail()))


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp('cluster'))
    yield one
    one.close()


@pytest.fixture
def new_cluster(tmp_path):
    """new_cluster(volumes=…, copies=…, …), see Cluster."""
    made = []

    def new(**arguments):
        directory = tmp_path / f'cluster-{len(made)}'
        directory.mkdir()
        made.append(Cluster(directory, **arguments))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def elastic(new_cluster):
    """elastic(volumes, active, …): only the first ACTIVE volumes take part."""
    def new(volumes, active, master=None, **arguments):
        cluster = new_cluster(volumes=volumes, bus=True, wait=False,
                              master={**BY_HAND, **SHORT, **(master or {})}, **arguments)
        add(cluster, *range(1, active + 1), rebalance=False)

        def is_ready():
            health = cluster.health()
            return health['status'] == 'ok' and all(v['up'] for v in health['volumes'])

        wait_for(is_ready, 'ok, and all volumes up')
        return cluster

    return new


@pytest.fixture(scope='module')
def failing_disk(tmp_path_factory):
    """A library that makes the disk of a daemon fail on demand; see fault.c."""
    if SANITIZED:
        pytest.skip('a preloaded library and a sanitizer exclude each other')
    library = tmp_path_factory.mktemp('fault') / 'fault.so'
    source = SUPPORT / 'fault.c'
    subprocess.run(['cc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', library, source], check=True)
    return library
