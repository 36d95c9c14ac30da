# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of the man pages do what stands there."""

import subprocess

import pytest

import examples
from cluster import BENCH, SANDBOX, free_ports, wait_for


@pytest.mark.parametrize('page', ['dkv-http.7', 'dkv-bench.1'])
def test_clients(page, new_cluster, tmp_path):
    examples.check(page, tmp_path, examples.Ports(new_cluster().master.port))


@pytest.mark.parametrize('page', ['dkvadm.8', 'org.dkv.Master1.5'])
def test_administration(page, new_cluster, tmp_path):
    cluster = new_cluster(bus=True)
    subprocess.run([BENCH, 'put', cluster.url, '--keys=1000', '--count=1000'], check=True,
                   stdout=subprocess.DEVNULL)
    wait_for(lambda: [v['up'] for v in cluster.dkvadm_json('volume', 'list')] == [True] * 3)
    examples.check(page, tmp_path, examples.Ports(cluster.master.port),
                   DBUS_SYSTEM_BUS_ADDRESS=cluster.bus.address, TZ='UTC')


def test_sandbox(tmp_path):
    try:
        examples.check('dkv-sandbox.1', tmp_path, examples.Ports(free_ports(5)[0], 3100))
    finally:
        subprocess.run([SANDBOX, 'stop', tmp_path / 'try'], stderr=subprocess.DEVNULL, check=False)
