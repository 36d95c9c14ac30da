# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pages of a volume's database, and its log, that are damaged while it is stopped."""

import os

import pytest

from cluster import wait_for
from faults import FAST, damage_page

KEYS = 200


def fill(cluster, keys=KEYS):
    values = {f'key/{n}': os.urandom(700) for n in range(keys)}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    return values


def damage(path, needle):
    """Flips a bit in NEEDLE, which is in the file once or more."""
    data = bytearray(path.read_bytes())
    at = data.find(needle)
    assert at >= 0
    data[at + len(needle) // 2] ^= 1
    path.write_bytes(data)


def on_volume(cluster, values, number):
    return [key for key in values
            if number in [copy['volume'] for copy in cluster.where(key)['copies']]]


@pytest.mark.sanitize
def test_what_was_on_a_damaged_page_is_made_again(new_cluster):
    cluster = new_cluster(volumes=3, copies=2, master=FAST)
    values = fill(cluster, 3 * KEYS)
    cluster[1].stop()
    damage_page(cluster[1].data / 'objects.db')
    cluster.start(1)
    cluster.wait_healthy()

    wait_for(lambda: {cluster.get(key).status for key in values} <= {200, 502}
             and 'Damaged pages' in str(cluster.health()), 'the trouble')
    wait_for(lambda: all(cluster.get(key).status == 200 for key in values), 'repair')
    for key, value in values.items():
        assert cluster.get(key).expect(200).body == value
    cluster.put('another', b'1').expect(201)


@pytest.mark.sanitize
def test_a_volume_outlives_the_end_of_all_around_a_damaged_page(new_cluster):
    """A page that becomes empty is taken out of its tree by way of its neighbours."""
    cluster = new_cluster(volumes=1, master=FAST)
    for n in range(300):
        cluster.put(f'key/{n}', b'v' * 20).expect(201)
    cluster[1].stop()
    damage_page(cluster[1].data / 'objects.db')
    cluster.start(1)
    cluster.wait_healthy()

    for n in range(300):
        cluster.delete(f'key/{n}').expect(204)
    # All but what was on the page goes.
    wait_for(lambda: cluster.health(1)['objects'] < 150, 'the others to be deleted')
    cluster.put('another', b'1').expect(201)
    assert cluster.get('another').expect(200).body == b'1'
    cluster.restart(1)
    assert cluster.get('another').expect(200).body == b'1'


@pytest.mark.sanitize
def test_what_was_damaged_in_the_log_of_the_values_is_made_again(new_cluster):
    cluster = new_cluster(volumes=3, copies=2, master=FAST)
    values = fill(cluster)
    victim = on_volume(cluster, values, 1)[0]
    cluster[1].stop()
    damage(cluster[1].data / 'values/0000000001', values[victim])
    cluster.start(1)
    cluster.wait_healthy()

    # Whoever meets it is sent to the other copy.
    wait_for(lambda: {cluster.get(key).status for key in values} == {200}
             and victim in cluster[1].log.read_text(), 'the damage to be found')
    for key, value in values.items():
        assert cluster.get(key).expect(200).body == value
    assert 'Damaged pages' not in str(cluster.health())


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
def test_damaged_log_is_named_and_left_alone(new_cluster, who):
    cluster = new_cluster(volumes=1)
    values = fill(cluster)
    log = cluster[who].data / 'log.0000000001'
    wait_for(lambda: len(log.read_bytes().rstrip(bytes(1))) > 30000, 'a flush of what was written')
    cluster[who].kill()
    whole = log.read_bytes()
    damage(log, whole[20000:20100])

    cluster.start(who)
    assert cluster[who].wait() > 0
    text = cluster[who].log.read_text()
    assert 'is damaged and was not opened, nothing was changed: offset ' in text
    assert 'log.0000000001' in text
    assert len(log.read_bytes()) == len(whole)

    log.write_bytes(whole)
    cluster.start(who)
    cluster.wait_healthy()
    for key, value in values.items():
        assert cluster.get(key).expect(200).body == value
