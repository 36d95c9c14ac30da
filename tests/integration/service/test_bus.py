# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons on D-Bus, with a real bus and systemd's busctl: what any program can do."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

import cluster as cluster_module
from cluster import DEADLINE, Bus, wait_for

MANAGER = ('/org/dkv/Master1', 'org.dkv.Master1.Manager')
STORE = ('/org/dkv/Volume1', 'org.dkv.Volume1.Store')
WITHOUT_END = 2 ** 64 - 1
ADD_BY_HAND = {'AutoAddVolumes': 'no'}


def volume(number):
    return f'/org/dkv/Master1/volume/{number}', 'org.dkv.Master1.Volume'


def busctl(cluster, *arguments, check=True, prefix=()):
    done = subprocess.run(
        [*prefix, 'busctl', f'--address={cluster.bus.address}', '--json=short',
         *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert not check or done.returncode == 0, f'{done.args}: {done.stdout}{done.stderr}'
    return done


def get(cluster, where, name, service='org.dkv.Master1'):
    return json.loads(busctl(cluster, 'get-property', service, *where, name).stdout)['data']


def call(cluster, where, method, *arguments, service='org.dkv.Master1'):
    return json.loads(busctl(cluster, 'call', service, *where, method, *arguments).stdout)['data']


def refusal(cluster, where, method, *arguments, prefix=()):
    """What the call is refused with."""
    done = busctl(cluster, 'call', 'org.dkv.Master1', *where, method, *arguments, check=False,
                  prefix=prefix)
    assert done.returncode == 1, done.stdout
    return done.stderr


def is_on_the_bus(cluster, name):
    names = json.loads(busctl(cluster, 'list').stdout)
    return any(one['name'] == name and one['pid'] for one in names)


def wait_on_the_bus(cluster):
    for name in ['org.dkv.Master1', *(f'org.dkv.Volume1.i{n}' for n in cluster.volumes)]:
        wait_for(lambda: is_on_the_bus(cluster, name), f'{name} on the bus')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    one = cluster_module.Cluster(tmp_path_factory.mktemp('cluster'), volumes=2, bus=True)
    wait_on_the_bus(one)
    yield one
    one.close()


@pytest.mark.sanitize
def test_master_tells_what_http_tells(cluster):
    cluster.put('a/key', b'value').expect(201, 204)
    health = cluster.health()
    assert get(cluster, MANAGER, 'Version') == health['version']
    assert get(cluster, MANAGER, 'Health') == health['status'] == 'ok'
    assert get(cluster, MANAGER, 'Epoch') == health['epoch']
    assert get(cluster, MANAGER, 'Keys') == health['keys'] == 1
    assert get(cluster, MANAGER, 'Bytes') == 5
    assert get(cluster, MANAGER, 'Copies') == 1
    assert get(cluster, MANAGER, 'Writes') >= 1
    assert get(cluster, MANAGER, 'Directory') == str(cluster.master.data)
    for n in 1, 2:
        assert get(cluster, volume(n), 'Number') == n
        assert get(cluster, volume(n), 'State') == 'active'
        assert get(cluster, volume(n), 'Up') is True
        assert get(cluster, volume(n), 'Url') == f'http://127.0.0.1:{cluster[n].port}'


@pytest.mark.sanitize
def test_volume_tells_of_itself(cluster):
    service = 'org.dkv.Volume1.i2'
    assert get(cluster, STORE, 'Number', service) == 2
    assert get(cluster, STORE, 'Uuid', service) == get(cluster, volume(2), 'Uuid')
    assert get(cluster, STORE, 'Master', service) == cluster.url
    wait_for(lambda: get(cluster, STORE, 'MasterAccepts', service), 'the report to be taken')
    settings = {s[0]: s for s in call(cluster, STORE, 'GetConfig', service=service)[0]}
    assert settings['Number'][1] == '2'
    assert re.fullmatch(r'.*/volume-2\.conf:\d+', settings['Number'][4])


def test_every_object_can_be_looked_at(cluster):
    tree = busctl(cluster, 'tree', '--list', 'org.dkv.Master1').stdout.split()
    assert {'/org/dkv/Master1', volume(1)[0], volume(2)[0]} <= set(tree)
    for service, (path, interface) in (('org.dkv.Master1', MANAGER), ('org.dkv.Master1', volume(1)),
                                       ('org.dkv.Volume1.i1', STORE)):
        text = busctl(cluster, 'introspect', service, path, interface).stdout
        values = dict(re.findall(r'^\.(\w+) +property +\w+ +(.*?) +\S+$', text, re.M))
        assert len(values) > 10 and '-' not in values.values(), text


def test_locate_tells_where_a_key_is(cluster):
    cluster.put('päth/with blank', b'12345', content_type='text/plain').expect(201, 204)
    where = cluster.where('päth/with blank')
    key = 'p%C3%A4th/with%20blank'
    found, = call(cluster, MANAGER, 'Locate', 's', key)
    assert found['size']['data'] == 5
    assert found['version']['data'] == where['version']
    assert found['content-type']['data'] == 'text/plain'
    assert found['etag']['data'] == cluster.head('päth/with blank')['ETag']
    number, is_up, url = found['copies']['data'][0]
    assert is_up and url == where['copies'][0]['url'] and number == where['copies'][0]['volume']
    assert 'no such key' in refusal(cluster, MANAGER, 'Locate', 's', 'nothing')


@pytest.mark.sanitize
def test_volumes_are_added_by_hand(new_cluster):
    cluster = new_cluster(volumes=3, master=ADD_BY_HAND, bus=True, wait=False)
    wait_on_the_bus(cluster)
    for n in cluster.volumes:
        wait_for(lambda: busctl(cluster, 'get-property', 'org.dkv.Master1', *volume(n), 'State',
                                check=False).returncode == 0, f'volume {n} to be known')
    assert get(cluster, MANAGER, 'Health') == 'down'
    epoch = get(cluster, MANAGER, 'Epoch')

    assert 'changed' in refusal(cluster, MANAGER, 'AddVolumes', 'aua{sv}', 1, 1, 1,
                                'epoch', 't', epoch + 1)
    assert 'Volume 9' in refusal(cluster, MANAGER, 'AddVolumes', 'aua{sv}', 2, 1, 9, 0)
    assert get(cluster, volume(1), 'State') == 'new'
    assert get(cluster, MANAGER, 'Epoch') == epoch

    _, after = call(cluster, MANAGER, 'AddVolumes', 'aua{sv}', 2, 1, 2, 1, 'epoch', 't', epoch)
    assert after == epoch + 1 == get(cluster, MANAGER, 'Epoch')
    assert get(cluster, volume(2), 'State') == 'active'
    assert get(cluster, volume(3), 'State') == 'new'
    cluster.put('k', b'v').expect(201)

    cluster[3].stop()
    wait_for(lambda: not get(cluster, volume(3), 'Up'), 'volume 3 to be down')
    assert 'does not report' in refusal(cluster, MANAGER, 'AddVolumes', 'aua{sv}', 1, 3, 0)
    cluster.start(3)
    wait_for(lambda: get(cluster, volume(3), 'Up'), 'volume 3 to be up')
    call(cluster, MANAGER, 'AddVolumes', 'aua{sv}', 1, 3, 0)


@pytest.mark.sanitize
def test_settings_of_a_volume_survive(new_cluster):
    cluster = new_cluster(volumes=2, bus=True)
    wait_on_the_bus(cluster)
    call(cluster, volume(1), 'Set', 'a{sv}', 2, 'weight', 'u', 7, 'zone', 's', 'cellar')
    call(cluster, volume(2), 'SetMaintenance', 'ta{sv}', WITHOUT_END, 0)
    cluster.restart('master')
    wait_on_the_bus(cluster)
    wait_for(lambda: get(cluster, volume(1), 'Up'), 'volume 1 to be up')
    assert get(cluster, volume(1), 'Weight') == 7
    assert get(cluster, volume(1), 'Zone') == 'cellar'
    assert get(cluster, volume(2), 'MaintenanceUntil') == WITHOUT_END
    for n in range(10):
        cluster.put(f'{n}', b'x').expect(201)
        assert [c['volume'] for c in cluster.where(f'{n}')['copies']] == [1]


def test_changes_are_signalled(new_cluster):
    cluster = new_cluster(volumes=1, bus=True)
    wait_on_the_bus(cluster)
    expected = {'Zone': 'cellar'}
    with subprocess.Popen(
            ['timeout', str(DEADLINE), 'busctl', f'--address={cluster.bus.address}', '--json=short',
             'monitor', 'org.dkv.Master1'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as monitor:
        assert 'Monitoring' in monitor.stderr.readline()
        _, expected['Epoch'] = call(cluster, volume(1), 'Set', 'a{sv}', 1, 'zone', 's', 'cellar')
        seen = {}
        for line in monitor.stdout:
            message = json.loads(line)
            if message.get('member') == 'PropertiesChanged':
                _, changed, _ = message['payload']['data']
                seen.update({name: value['data'] for name, value in changed.items()})
            if expected.items() <= seen.items():
                break
        monitor.kill()
    assert expected.items() <= seen.items()


def test_daemons_come_back_to_a_bus_that_was_restarted(new_cluster):
    cluster = new_cluster(volumes=1, bus=True)
    wait_on_the_bus(cluster)
    cluster.bus.kill()
    cluster.put('meanwhile', b'1').expect(201)
    wait_for(lambda: 'trying again' in cluster.master.log.read_text(), 'the master to notice')
    cluster.bus.start()
    wait_on_the_bus(cluster)
    assert get(cluster, MANAGER, 'Keys') == 1
    call(cluster, volume(1), 'Set', 'a{sv}', 1, 'weight', 'u', 2)


def test_nothing_waits_for_a_bus_that_hangs(new_cluster):
    """The main loop goes on: volumes are missed, and the daemon stops when it is told to."""
    cluster = new_cluster(volumes=2, bus=True, master={'VolumeTimeoutSec': '1s'})
    wait_on_the_bus(cluster)
    cluster.bus.process.send_signal(signal.SIGSTOP)
    try:
        cluster[2].stop()
        wait_for(lambda: not cluster.health()['volumes'][1]['up'], 'the volume to be missed')
        wait_for(lambda: 'is down' in cluster.master.log.read_text(), 'the watch to notice')
        for n in range(20):
            cluster.put(f'{n}', b'x').expect(201)
        cluster.restart('master')
        begin = time.monotonic()
        cluster.master.stop()  # is what the main loop does
        assert time.monotonic() - begin < 10
        cluster.start('master')
        cluster.wait_healthy()
    finally:
        cluster.bus.process.send_signal(signal.SIGCONT)
    wait_for(lambda: is_on_the_bus(cluster, 'org.dkv.Master1'), 'the master on the bus')


def test_name_that_is_taken_is_taken_over_when_it_is_free(new_cluster):
    first = new_cluster(volumes=1, bus=True)
    wait_on_the_bus(first)
    second = new_cluster(volumes=1)
    second.master.stop()
    second.master.bus_address = first.bus.address
    second.start('master')
    second.wait_healthy()
    wait_for(lambda: 'is taken by' in second.master.log.read_text(), 'the second to notice')
    assert get(first, MANAGER, 'Directory') == str(first.master.data)
    second.put('k', b'v').expect(201)

    first.master.stop()
    wait_for(lambda: is_on_the_bus(first, 'org.dkv.Master1'), 'the second on the bus')
    assert get(first, MANAGER, 'Directory') == str(second.master.data)
    second.master.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason='cannot become somebody else')
def test_somebody_else_may_look_and_not_touch(new_cluster, monkeypatch):
    """On a private bus there is no polkit to ask."""
    monkeypatch.setattr(Bus, 'CONF', Bus.CONF.replace(
        '<policy context="default">', '<policy context="default"><allow user="*"/>'))
    cluster = new_cluster(volumes=1, bus=True)
    wait_on_the_bus(cluster)
    cluster.bus.directory.chmod(0o755)
    stranger = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')
    done = busctl(cluster, 'get-property', 'org.dkv.Master1', *MANAGER, 'Health', prefix=stranger)
    assert json.loads(done.stdout)['data'] == 'ok'
    for where, *arguments in ((MANAGER, 'AddVolumes', 'aua{sv}', 1, 1, 0),
                              (volume(1), 'Set', 'a{sv}', 1, 'weight', 'u', 2),
                              (volume(1), 'SetMaintenance', 'ta{sv}', 1, 0)):
        assert 'Not allowed' in refusal(cluster, where, *arguments, prefix=stranger)
    assert get(cluster, volume(1), 'Weight') == 1
