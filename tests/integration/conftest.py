# SPDX-License-Identifier: LGPL-2.1-or-later
"""`cluster` is shared by the tests of a file; `new_cluster` makes one for a test that hurts it."""

import pytest

from cluster import BENCH, DKVADM, MASTER, SANDBOX, VOLUME, Cluster


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
