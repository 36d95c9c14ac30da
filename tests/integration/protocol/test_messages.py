# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemons make of each message of the tables in messages.py: whole, byte by byte and in pieces."""

import itertools
import pathlib
import select

import pytest

from cluster import path_of
from messages import GET, LAST, PUT, PUT_5, READ, REFUSED, STORED, TAKEN, encode
from wire import Wire, pieces_of

BYTES_MAX = 4000  # what is longer is not sent byte by byte
PROBE = b'GET /-/health HTTP/1.1\r\nHost: dkv\r\nConnection: close\r\n\r\n'
NUMBERS = itertools.count()

pytestmark = pytest.mark.sanitize


class Target:
    """A daemon, and what it is asked for; a volume lets nobody in without a ticket."""

    def __init__(self, cluster, who):
        self.cluster, self.who, self.port = cluster, who, cluster[who].port
        self.evil = ('DELETE @victim HTTP/1.1\nHost: dkv\n\n' if who == 'master' else
                     'PUT @victim HTTP/1.1\nHost: dkv\nContent-Length: 4\n\ndead')

    def path(self, key, how):
        if self.who == 'master':
            return path_of(key)
        url = self.cluster.redirect(key) if how == 'GET' else self.cluster.write_redirect(key, method=how)
        return '/' + url.split('/', 3)[3]

    def fresh(self):
        """Targets for one message; the key of @new and @post is new each time."""
        self.key = f'new/{self.who}/{next(NUMBERS)}'
        if self.cluster.get('victim').body != b'alive':  # a test before this one has failed
            self.cluster.put('victim', b'alive').expect(201, 204)
        return {'old': self.path('old', 'GET'), 'victim': self.path('victim', 'PUT'),
                'new': self.path(self.key, 'PUT'), 'post': self.path(self.key, 'POST'),
                'host': f'127.0.0.1:{self.port}'}

    def state(self):
        """All keys and versions."""
        return [(one['key'], one['version']) for one in self.cluster.list(limit=10000)['keys']]

    def wire(self):
        return Wire(self.port)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    from cluster import Cluster
    one = Cluster(tmp_path_factory.mktemp('cluster'), volumes=1)
    one.put('old', b'old').expect(201)
    one.put('victim', b'alive').expect(201)
    yield one
    one.close()


@pytest.fixture(params=['master', 1])
def target(small, request):
    return Target(small, request.param)


def cases(table):
    return pytest.mark.parametrize('case', table, ids=lambda case: case[0])


def ways(message):
    return ['whole', 'pieces'] + ['bytes'] * (len(message) <= BYTES_MAX)


def final(wire, head=False):
    answer = wire.answer(head)
    while answer and answer.status == 100:
        answer = wire.answer(head)
    return answer


def check_stored(target, answer):
    if answer.status in (201, 204) and 'dkv-version' in answer.fields:
        assert target.cluster.get(target.key).expect(200).body == b'hello'


def early(wire, message, how):
    """Sends it. Nothing may be answered before its end but errors, redirects and 100 Continue."""
    *pieces, last = pieces_of(message, how)
    wire.send(*pieces)
    if pieces and wire.is_answered(0.02):
        wire.until(b' ')
        assert wire.buffer[:3] == b'100' or wire.buffer[:3] >= b'300', wire.buffer
        wire.buffer = b'HTTP/1.1 ' + wire.buffer
    wire.send(last)


@cases(TAKEN)
def test_is_taken(target, case):
    _, statuses, text = case
    for how in ways(text):
        message = encode(text, target.fresh())
        head = message.startswith(b'HEAD')
        before = target.state()
        with target.wire() as wire:
            early(wire, message, how)
            answer = final(wire, head)
            assert answer and answer.status in statuses, (how, answer)
            if answer.closes:
                assert wire.send(PROBE).is_closed(), how
            else:
                probe = wire.send(PROBE).answer()
                assert probe and probe.status == 200 and probe.closes and wire.is_closed(), (how, probe)
        check_stored(target, answer)
        assert answer.status in (201, 204) or target.state() == before, how


@cases(TAKEN)
def test_is_answered_though_the_client_has_closed_its_side(target, case):
    _, statuses, text = case
    message = encode(text, target.fresh())
    with target.wire() as wire:
        wire.send(message).half_close()
        answer = final(wire, message.startswith(b'HEAD'))
        assert answer and answer.status in statuses, answer
        assert wire.is_closed()
    check_stored(target, answer)


@cases(REFUSED)
def test_is_refused(target, case):
    """And what follows does not run, though it would be a request."""
    _, statuses, text = case
    for how in ways(text):
        targets = target.fresh()
        message, evil = encode(text, targets), encode(target.evil, targets)
        head = message.startswith(b'HEAD')
        before = target.state()
        with target.wire() as wire:
            wire.send(*pieces_of(message, how), evil)
            answer = final(wire, head)
            assert answer and answer.status in statuses, (how, answer)
            assert answer.closes and wire.is_closed(), (how, wire.buffer)
        assert target.state() == before, how


@cases(LAST)
def test_is_the_last_request_of_its_connection(target, case):
    _, statuses, text = case
    for how in ways(text):
        targets = target.fresh()
        with target.wire() as wire:
            wire.send(*pieces_of(encode(text, targets), how), encode(target.evil, targets))
            answer = final(wire)
            assert answer and answer.status in statuses, (how, answer)
            assert answer.closes and wire.is_closed(), (how, wire.buffer)
        check_stored(target, answer)
        assert target.cluster.get('victim').expect(200).body == b'alive'


BEGUN = [('a GET', READ, GET + 'X: y\n\n'), ('a PUT', STORED, PUT_5 + '\nhello'),
         ('chunks', STORED, PUT + 'Transfer-Encoding: chunked\n\n5;x\nhello\n0\nX: y\n\n')]


@cases(BEGUN)
def test_is_waited_for(target, case):
    """Each beginning of it, all at the same time: nothing is said until the rest has come."""
    _, statuses, text = case
    before = target.state()
    wires = []
    for size in range(1, len(encode(text, target.fresh())), 3):
        message, key = encode(text, target.fresh()), target.key
        wires.append((target.wire().send(message[:size]), message[size:], key))
    assert select.select([wire.socket for wire, _, _ in wires], [], [], 0.5)[0] == []
    assert target.state() == before
    for wire, rest, target.key in wires:
        answer = wire.send(rest).answer()
        assert answer and answer.status in statuses, (rest, answer)
        check_stored(target, answer)
        wire.socket.close()


@cases(BEGUN)
def test_has_no_effect_if_its_end_is_missing(target, case):
    """The client has closed its side: there may be an error, and the connection is closed at once."""
    _, statuses, text = case
    before = target.state()
    for size in range(1, len(encode(text, target.fresh())), 3):
        message = encode(text, target.fresh())[:size]
        with target.wire() as wire:
            answer = wire.send(message).half_close().answer()
            assert not answer or (answer.status >= 400 and answer.closes), (message, answer)
            assert wire.is_closed()
    assert target.state() == before


@pytest.mark.parametrize('how', ['whole', 'pieces', 'bytes'])
def test_requests_in_a_row_are_answered_in_order(target, how):
    """They all came before the first answer was read: of each kind of body, and errors that leave the
    connection as it is."""
    kept = [target.fresh() for _ in range(3)]
    messages = [encode(text, targets) for text, targets in (
        (GET + '\n', kept[0]), (PUT_5 + '\nhello', kept[0]),
        ('GET /-/nothing HTTP/1.1\nHost: dkv\n\n', {}),
        (PUT + 'Transfer-Encoding: chunked\n\n5\nhello\n0\n\n', kept[1]),
        ('HEAD @old HTTP/1.1\nHost: dkv\n\n', kept[0]), (PUT_5 + '\nhello', kept[2]),
        ('BREW @old HTTP/1.1\nHost: dkv\n\n', kept[0]), (GET + 'Connection: close\n\n', kept[0]))]
    with target.wire() as wire:
        wire.send(*pieces_of(b''.join(messages), how))
        answers = [final(wire, message.startswith(b'HEAD')) for message in messages]
        assert wire.is_closed()
    read = READ[target.who == 'master']
    assert [answer and answer.status for answer in answers] == [read, 201, 404, 201, 200, 201, 501, read]


def test_many_requests_in_a_row(target):
    message = encode('HEAD @old HTTP/1.1\nHost: dkv\n\n', target.fresh())
    with target.wire() as wire:
        for _ in range(5):
            wire.send(200 * message)
            assert [wire.answer(head=True).status for _ in range(200)] == 200 * [200]


@pytest.mark.parametrize('framing', ['length', 'chunks'])
def test_a_request_in_a_body_is_a_value(target, framing):
    targets = target.fresh()
    evil = encode(target.evil, targets)
    with target.wire() as wire:
        if framing == 'length':
            wire.send(encode(PUT + f'Content-Length: {len(evil)}\n\n', targets), evil)
        else:
            wire.send(encode(PUT + 'Transfer-Encoding: chunked\n\n', targets),
                      b'%x\r\n%b\r\n0\r\n\r\n' % (len(evil), evil))
        assert wire.answer().status == 201
        assert wire.send(PROBE).answer().status == 200 and wire.is_closed()
    assert target.cluster.get(target.key).body == evil
    assert target.cluster.get('victim').body == b'alive'


def test_100_continue_comes_before_the_body(target):
    """And only if the answer is not known already."""
    with target.wire() as wire:
        wire.send(encode(PUT_5 + 'Expect: 100-continue\n\n', target.fresh()))
        assert wire.answer().status == 100
        assert wire.send(b'hello').answer().status == 201
        wire.send(encode('PUT /-/none HTTP/1.1\nHost: dkv\nContent-Length: 5\nExpect: 100-continue\n\n', {}))
        assert wire.answer().status == 404


def test_an_empty_line_behind_a_body_is_no_request(target):
    with target.wire() as wire:
        wire.send(encode(PUT_5 + '\nhello\n', target.fresh()) + PROBE)
        assert wire.answer().status == 201
        assert wire.answer().status == 200


def test_a_bad_message_is_answered_before_its_end(target):
    """Nobody has to send a body to hear that it is not wanted."""
    with target.wire() as wire:
        wire.send(encode(PUT + 'Content-Length: 1000000\nContent-Length: 5\n\n', target.fresh()))
        assert wire.answer().status == 400
    with target.wire() as wire:
        wire.send(encode(PUT_5 + 'X : y\n', target.fresh()))
        assert wire.answer().status == 400


def test_a_client_that_sends_on_hears_why_it_is_refused(target):
    """What it sends meanwhile does not reset the connection before it has read the answer."""
    with target.wire() as wire:
        wire.send(encode(PUT + 'Content-Length: 4000000\nX : y\n\n', target.fresh()), bytes(4000000))
        assert wire.answer().status == 400
        assert wire.is_closed()
