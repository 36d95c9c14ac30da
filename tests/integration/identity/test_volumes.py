# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator does to volumes is in force at once, durable, and what requests go by."""

import shutil
import signal
import time

import pytest

from cluster import wait_for

BRIEF = {'VolumeTimeoutSec': '500ms'}


@pytest.fixture
def cluster(new_cluster):
    return new_cluster(volumes=3, master=BRIEF, bus=True)


def administer(cluster, *arguments):
    """The bus hears of volumes a moment after everybody else."""
    def known():
        listed = cluster.dkvadm_json('volume', 'list')
        return len(listed) == len(cluster.volumes) and all(v['up'] for v in listed)

    wait_for(known, 'the volumes on the bus')
    return cluster.dkvadm('volume', *arguments)


def homes(cluster, prefix):
    """Which volumes have new values."""
    for n in range(40):
        cluster.put(f'{prefix}{n}', b'v').expect(201)
    return {copy['volume'] for n in range(40) for copy in cluster.where(f'{prefix}{n}')['copies']}


def volume(cluster, number):
    return {v['number']: v for v in cluster.health()['volumes']}[number]


@pytest.mark.sanitize
def test_a_volume_in_maintenance_is_read_and_not_written(cluster):
    assert homes(cluster, 'before/') == {1, 2, 3}
    administer(cluster, 'maintenance', 2, 'on')
    assert volume(cluster, 2)['maintenance']
    assert homes(cluster, 'now/') == {1, 3}
    for n in range(40):
        assert cluster.get(f'before/{n}').expect(200).body == b'v'

    # It may be away, and whatever happens to the master, it stays in maintenance.
    cluster.kill(2)
    wait_for(lambda: not volume(cluster, 2)['up'], 'the volume to be missed')
    health = cluster.health()
    assert (health['status'], health['reason']) == ('ok', 'Volume 2 is in maintenance.')
    cluster.kill('master')
    cluster.start('master')
    cluster.wait_healthy()
    wait_for(lambda: not volume(cluster, 2)['up'], 'the volume to be missed again')
    assert cluster.health()['status'] == 'ok'

    cluster.start(2)
    administer(cluster, 'maintenance', 2, 'off')
    assert homes(cluster, 'after/') == {1, 2, 3}
    health = cluster.health()
    assert (health['status'], health['reason']) == ('ok', 'Volumes 1, 2 and 3 are up.')


def test_maintenance_ends_in_time(cluster):
    epoch = cluster.health()['epoch']
    start = time.monotonic()
    administer(cluster, 'maintenance', 2, 'on', '2s')
    assert volume(cluster, 2)['maintenance']
    wait_for(lambda: not volume(cluster, 2)['maintenance'], 'the end of the maintenance')
    assert time.monotonic() > start + 1.5
    wait_for(lambda: cluster.health()['epoch'] == epoch + 2, 'the map to say so')
    assert homes(cluster, 'after/') == {1, 2, 3}


def test_clients_are_sent_where_the_administrator_says(cluster):
    url = f'http://localhost:{cluster[2].port}'
    administer(cluster, 'set', 2, f'--url={url}', '--zone=cellar', '--weight=5')
    for _ in range(2):
        assert (volume(cluster, 2)['url'], volume(cluster, 2)['zone']) == (url, 'cellar')
        assert volume(cluster, 2)['weight'] == 5
        for n in range(20):
            cluster.put(f'k{n}', b'v').expect(201, 204)
            there = cluster.where(f'k{n}')['copies'][0]
            if there['volume'] == 2:
                assert cluster.redirect(f'k{n}').startswith(url)
        cluster.kill('master')
        cluster.start('master')
        cluster.wait_healthy()

    administer(cluster, 'set', 2, '--url=', '--zone=')
    wait_for(lambda: volume(cluster, 2)['url'] != url, 'the own report of the volume')
    assert volume(cluster, 2)['zone'] == ''


def test_figures_that_nobody_has_reported_are_not_told(cluster):
    cluster.kill('master')
    cluster.kill(2)
    cluster.start('master')
    cluster.wait_healthy()
    assert 'free' in volume(cluster, 1) and not volume(cluster, 2).keys() & {'free', 'size', 'objects'}

    cluster.start(2)
    cluster.wait_healthy()
    assert volume(cluster, 2)['free'] > 0


def test_a_volume_says_soon_that_the_master_does_not_answer(cluster):
    started = time.monotonic()
    cluster.kill('master', signal.SIGSTOP)
    wait_for(lambda: 'cannot be reached, trying again: ' in cluster[2].log_tail(),
             'the volume to notice')
    assert time.monotonic() < started + 15
    cluster.kill('master', signal.SIGCONT)
    wait_for(lambda: 'knows this volume' in cluster[2].log_tail(3), 'the volume to be at peace')
    cluster.wait_healthy()


def test_a_first_try_does_not_use_a_number_up(new_cluster):
    """A volume that starts on a wrong directory leaves its number to the store that comes next,
    unless it was added."""
    one = new_cluster(volumes=2, wait=False,
                      master={'AutoAddVolumes': 'no', 'VolumeTimeoutSec': '500ms'})
    wait_for(lambda: 'Volume 2 is up.' in one['master'].log_tail(), 'the first store')

    def start_anew(number):
        one.kill(number)
        shutil.rmtree(one[number].data)
        one[number].data.mkdir()
        one.start(number)

    start_anew(2)
    taken = 'Volume 2 reports with another store, in place of the first one, which was never added.'
    wait_for(lambda: taken in one['master'].log_tail(), 'the second store')
    one['master'].stop()
    one['master'].settings['AutoAddVolumes'] = 'yes'
    one.start('master')
    one.wait_healthy()
    one.put('k', b'v').expect(201)
    start_anew(2)
    wait_for(lambda: "Another store has this volume's number" in one[2].log_tail(), 'the refusal')


def test_a_new_store_with_an_old_number_is_told_why_it_is_refused(cluster):
    cluster.kill(2)
    shutil.rmtree(cluster[2].data)
    cluster[2].data.mkdir()
    cluster.start(2)
    why = "refuses this volume: Another store has this volume's number; numbers are unique and never used again."
    wait_for(lambda: why in cluster[2].log_tail(), 'the reason')
