# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was done already comes again: a ticket is used twice, a deletion fails and is tried again."""

import os
import struct

import pytest

import signed
from cluster import wait_for
from faults import FAST, FILE, INLINE, damage_page, flip


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE, FILE])
@pytest.mark.parametrize('method', ['PUT', 'POST'])
def test_write_comes_again(new_cluster, method, size):
    """The client did not see the answer, and gets the same one."""
    cluster = new_cluster(volumes=3, copies=3)
    value = os.urandom(size)
    url = cluster.write_redirect('k', method=method)
    first = cluster.request(method, url, value).expect(201)
    for _ in range(3):
        again = cluster.request(method, url, value).expect(201)
        assert (again['ETag'], again['Dkv-Version']) == (first['ETag'], first['Dkv-Version'])
    assert cluster.get('k').body == value
    assert len(cluster.where('k')['copies']) == 3
    assert (cluster.health()['keys'], cluster.health()['garbage']) == (1, 0)


@pytest.mark.sanitize
def test_another_value_comes_with_the_same_ticket(new_cluster):
    cluster = new_cluster(volumes=3, copies=2)
    url = cluster.write_redirect('k')
    cluster.request('PUT', url, b'a' * FILE).expect(201)
    assert cluster.request('PUT', url, b'b' * FILE).status >= 400
    assert cluster.get('k').body == b'a' * FILE


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE, FILE])
def test_write_comes_again_after_a_delete(new_cluster, size):
    """It has happened before the delete; its copies are about to be deleted."""
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    url = cluster.write_redirect('k')
    cluster.request('PUT', url, b'n' * size).expect(201)
    cluster.delete('k').expect(204)
    cluster.request('PUT', url, b'n' * size).expect(503)
    cluster.get('k').expect(404)

    cluster.wait_clean()
    cluster.get('k').expect(404)
    assert cluster.objects() == 0


def test_write_comes_again_after_its_copies_were_deleted(new_cluster):
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    other = cluster.write_redirect('k')
    with cluster.raw(cluster.volume_of(other)) as slow:
        target = other[other.index('/', len('http://')):]
        slow.head('PUT', target, 'Transfer-Encoding: chunked').chunk(b'n' * FILE)
        cluster.request('PUT', other, b'n' * FILE).expect(201)
        cluster.delete('k').expect(204)
        cluster.wait_clean()
        slow.chunk(b'').answer().expect(503)
    cluster.wait_clean()
    cluster.get('k').expect(404)
    assert cluster.objects() == 0


@pytest.mark.sanitize
def test_write_comes_again_across_a_restart(new_cluster):
    cluster = new_cluster(volumes=2, copies=2)
    url = cluster.write_redirect('k')
    gone = cluster.write_redirect('gone')
    cluster.request('PUT', url, b'n' * FILE).expect(201)
    cluster.request('PUT', gone, b'n' * FILE).expect(201)
    cluster.delete('gone').expect(204)
    cluster.kill('master')
    cluster.start('master')
    cluster.wait_healthy()
    cluster.request('PUT', url, b'n' * FILE).expect(201)
    cluster.request('PUT', gone, b'n' * FILE).expect(503)
    cluster.get('gone').expect(404)


@pytest.mark.sanitize
def test_garbage_on_a_damaged_page_does_not_keep_the_rest(new_cluster):
    cluster = new_cluster(volumes=1, master=FAST)
    for n in range(150):
        cluster.put(f'a/{n}', b'%d' % n * 200).expect(201)
    for n in range(150):
        cluster.put(f'b/{n}', b'%d' % n * 200).expect(201)
    cluster[1].stop()
    damage_page(cluster[1].data / 'objects.db')
    for n in range(150):  # some stay, so that no page gets empty
        if n % 10 > 0:
            cluster.delete(f'a/{n}').expect(204)
            cluster.delete(f'b/{n}').expect(204)
    assert cluster.health()['garbage'] == 270

    cluster.start(1)
    cluster.wait_healthy()
    cluster.put('new', b'v').expect(201)
    cluster.delete('new').expect(204)
    wait_for(lambda: cluster.health()['garbage'] < 160, 'all but one page to go')
    wait_for(lambda: cluster.objects() == cluster.health()['garbage'] + 30, 'the rest to be forgotten')
    assert 30 < cluster.objects() < 190
    wait_for(lambda: 'cannot delete' in cluster.master.log.read_text(), 'the journal to tell it')
    assert cluster.master.log.read_text().count('cannot delete') == 1


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE, FILE])
def test_deletion_that_was_given_up_comes_late(new_cluster, size):
    """The copy that it means was deleted since, and another one made."""
    cluster = new_cluster(volumes=1, master=FAST)
    value = os.urandom(size)
    cluster.put('k', value).expect(201)
    late, next_one = (struct.pack('<QQ', number, cluster.where('k')['object'])
                      for number in (1, (1 << 62) - 1))
    cluster.put('gone', value).expect(201)
    cluster.delete('gone').expect(204)
    cluster.wait_clean()

    for _ in range(2):
        signed.call(cluster, 1, 'delete', late).expect(503)
        assert cluster.get('k').expect(200).body == value
        cluster.kill(1)
        cluster.start(1)
        cluster.wait_healthy()
    assert signed.errors(signed.call(cluster, 1, 'delete', next_one).expect(200).body) == ['']
    assert cluster.objects() == 0
