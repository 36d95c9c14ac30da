# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three masters: whichever of them is lost, nothing that was acknowledged is, and the others go on."""

import http.client
import os
import signal
import statistics
import time

import pytest

from cluster import path_of, wait_for
from jobs import SHORT
from writers import Writers, exchange, follow

WRITTEN = 201, 204
KILLS = int(os.environ.get('DKV_MASTER_KILLS', '10'))


@pytest.fixture
def three(new_cluster):
    return new_cluster(masters=3, volumes=3, copies=2, master=SHORT)


def put_anywhere(cluster, key, value):
    for url in cluster.urls:
        status, _, _ = follow(url, 'PUT', path_of(key), value)
        assert status in WRITTEN, status


def test_any_master_takes_writes_and_reads(three):
    leader = three.leader()
    for n, url in enumerate(three.urls, 1):
        status, location, _ = exchange(url, 'PUT', f'/at-{n}?x=1', b'value')
        if n == leader:
            assert status == 201
        else:
            assert (status, location) == (307, f'{three.urls[leader - 1]}/at-{n}?x=1')
        assert follow(url, 'PUT', f'/at-{n}', b'value')[0] in WRITTEN
    for url in three.urls:
        for n in range(1, 4):
            assert follow(url, 'GET', f'/at-{n}')[:2] == (200, b'value')
        assert follow(url, 'GET', '/')[0] == 200
        assert follow(url, 'GET', '/-/where/at-1')[0] == 200
    for n, url in enumerate(three.urls, 1):
        assert follow(url, 'DELETE', f'/at-{n}')[0] == 204
        assert follow(url, 'GET', f'/at-{n}')[0] == 404


def test_curl_sends_no_body_to_a_master_that_does_not_lead(three, tmp_path):
    value = tmp_path / 'value'
    value.write_bytes(os.urandom(5 << 20))
    for n, url in enumerate(three.urls, 1):
        sent = three.curl('-L', '-T', value, '-H', 'Expect: 100-continue', '-w',
                          '%{http_code} %{size_upload}', '-o', '/dev/null', f'{url}/large-{n}')
        assert sent.returncode == 0, sent.stderr
        status, size = sent.stdout.split()
        assert status == b'201' and int(size) == 5 << 20, sent.stdout
        got = three.curl('-L', f'{three.urls[n % 3]}/large-{n}')
        assert got.stdout == value.read_bytes()


def test_nothing_is_lost_when_the_leader_is_killed_again_and_again(three):
    writers = Writers(three.urls)
    pauses = []
    for _ in range(KILLS):
        goal = writers.acknowledged + 100
        wait_for(lambda goal=goal: writers.acknowledged >= goal, 'more writes')
        leader = three.masters[three.leader()]
        leader.kill()
        moment = time.monotonic()
        pauses.append(wait_for(lambda m=moment: writers.without_writes_since(m), 'a write'))
        leader.start()
    writers.stop()
    writers.check()
    three.wait_clean()
    print(f'\n{len(pauses)} kills, {writers.acknowledged} writes; time without writes: '
          f'median {statistics.median(pauses):.2f} s, longest {max(pauses):.2f} s')


def test_a_leader_that_wakes_up_tells_nobody_what_is_old(three):
    writers = Writers(three.urls)
    for _ in range(3):
        goal = writers.acknowledged + 100
        wait_for(lambda goal=goal: writers.acknowledged >= goal, 'more writes')
        leader = three.leader()
        daemon = three.masters[leader]
        daemon.kill(signal.SIGSTOP)
        moment = time.monotonic()
        wait_for(lambda n=leader: any(three.role(m) == 'leader' for m in three.masters if m != n),
                 'another leader')
        wait_for(lambda m=moment: writers.without_writes_since(m), 'a write')
        remaining = moment + 2 - time.monotonic()
        if remaining > 0:
            time.sleep(remaining)  # the accident itself
        daemon.kill(signal.SIGCONT)
        wait_for(lambda n=leader: three.role(n) == 'follower', 'the old leader to follow')
    writers.stop()
    writers.check()


def test_what_was_asked_before_is_not_answered_from_before(three):
    for turn in range(3):
        key = f'key-{turn}'
        put_anywhere(three, key, b'old')
        old = three.head(key)['ETag']
        leader = three.leader()
        daemon = three.masters[leader]
        process = daemon.process
        readers = [three.raw(f'master-{leader}') for _ in range(20)]
        daemon.kill(signal.SIGSTOP)
        for reader in readers:  # who wait in the sockets of the one that sleeps
            reader.head('HEAD', f'/{key}')
        others = [three.urls[n - 1] for n in three.masters if n != leader]
        wait_for(lambda url=others[0], k=key: follow_or_nothing(url, k, b'new'), 'a write')
        daemon.kill(signal.SIGCONT)
        for reader in readers:
            try:
                answer = reader.answer('HEAD')
                assert answer.status != 200 or answer['ETag'] != old, answer
            except (OSError, http.client.HTTPException):
                pass  # it ends
            reader.close()
        wait_for(lambda d=daemon, p=process: d.process not in (None, p), 'the end of the old leader')
        three.wait_healthy()


def follow_or_nothing(url, key, value):
    """Whether the value was written."""
    try:
        return follow(url, 'PUT', f'/{key}', value)[0] in WRITTEN
    except (OSError, http.client.HTTPException):
        return False


def test_no_slow_client_keeps_who_has_lost_the_lead_from_coming_back(three):
    leader = three.leader()
    daemon = three.masters[leader]
    process = daemon.process
    assert follow(three.urls[leader - 1], 'PUT', '/large', os.urandom(64 << 20))[0] in WRITTEN
    reader = three.raw(f'master-{leader}').head('GET', '/large?proxy=1')
    assert reader.status_line().startswith('HTTP/1.1 200')
    for n, other in three.masters.items():
        if n != leader:
            other.kill()
    wait_for(lambda: daemon.process not in (None, process), 'the end of the old leader', deadline=10)
    reader.close()
    for n, other in three.masters.items():
        if n != leader:
            other.start()
    three.wait_healthy()
    put_anywhere(three, 'key', b'value')


def test_all_of_them_may_be_started_again(three):
    put_anywhere(three, 'key', b'value')
    for daemon in three.masters.values():
        daemon.kill()
    for daemon in three.masters.values():
        daemon.start()
    three.wait_healthy()
    for url in three.urls:
        assert follow(url, 'GET', '/key')[:2] == (200, b'value')
    put_anywhere(three, 'key', b'another')


def test_an_index_and_a_seat_that_do_not_belong_together_are_told_of(three, new_cluster):
    member = three.masters[three.leader() % 3 + 1]
    alone = new_cluster(volumes=1)
    single = alone.master
    seat = (member.data / 'seat').read_bytes()

    def is_refused(daemon, why):
        daemon.start()
        assert daemon.wait() == 1
        return why in daemon.log_tail()

    member.kill()
    (member.data / 'seat').unlink()
    assert is_refused(member, f"there is no '{member.data}/seat'")
    (member.data / 'seat').write_bytes(seat)
    member.start()

    single.kill()
    (single.data / 'seat').write_bytes(seat)
    assert is_refused(single, 'its index does not belong to one yet')
    (single.data / 'seat').unlink()
    single.start()
    alone.wait_healthy()
    three.wait_healthy()


def test_a_master_alone_with_a_wrong_directory_hears_nothing_of_groups(new_cluster, tmp_path):
    cluster = new_cluster(volumes=1)
    single = cluster.master
    file = tmp_path / 'file'
    file.touch()
    directory = single.settings['Directory']
    single.kill()
    single.settings['Directory'] = file
    single.start()
    assert single.wait() == 1
    assert f"Failed to make the directory '{file}'" in single.log_tail()
    single.settings['Directory'] = directory
    single.start()
    cluster.wait_healthy()


def test_one_of_three_serves_nobody_and_says_so(three):
    put_anywhere(three, 'key', b'value')
    leader = three.leader()
    process = three.masters[leader].process
    for n, daemon in three.masters.items():
        if n != leader:
            daemon.kill()
    wait_for(lambda: three.masters[leader].process not in (None, process)
             and three.role(leader) == 'follower', 'the end of the lead')
    for method, body in ('GET', None), ('HEAD', None), ('PUT', b'x'), ('POST', b'x'), ('DELETE', None):
        moment = time.monotonic()
        answer = three.request(method, '/key', body, who=f'master-{leader}').expect(503)
        assert time.monotonic() - moment < 5
        assert method == 'HEAD' or answer.json['type'] == 'no-leader', answer
    for n, daemon in three.masters.items():
        if n != leader:
            daemon.start()
    three.wait_healthy()
    assert follow(three.urls[0], 'GET', '/key')[:2] == (200, b'value')
