# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons agree with h1spec, and with llhttp but for the differences that conformance.py justifies:
"-k h1spec" are its 33 checks, "-k llhttp" its 166 requests."""

import itertools
import time

import pytest

from cluster import path_of
from conformance import DIFFERENCES, H1SPEC, LLHTTP
from messages import encode
from wire import Wire

PROBE = b'GET /-/health HTTP/1.1\r\nHost: dkv\r\nConnection: close\r\n\r\n'
NUMBERS = itertools.count()
REFUSALS = (400, 411, 413, 414, 417, 431, 505)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    from cluster import Cluster
    one = Cluster(tmp_path_factory.mktemp('cluster'), volumes=1)
    one.put('old', b'old').expect(201)
    yield one
    one.close()


def send(wire, text, targets):
    first, *rest = text.split('‖')
    wire.send(encode(first, targets))
    for piece in rest:
        time.sleep(0.02)
        assert not piece or not wire.is_answered(0)
        wire.send(encode(piece, targets))


def answers_of(wire, text):
    """All that is said until the end of the connection, but for 100 Continue."""
    answers, head = [], text.startswith('HEAD')
    while answer := wire.answer(head and not answers):
        if answer.status != 100:
            answers.append(answer)
    return answers


def verdicts(answers):
    """Those that the answers to a message and a probe fit to."""
    *_, last = answers
    if last.status == 200 and b'volumes' in last.body:
        return {'refuses'} if any(one.status in REFUSALS for one in answers) else {'takes'}
    assert last.closes, answers
    if last.status in REFUSALS:
        return {'refuses'}
    return {'refuses', 'last'} if last.status == 501 else {'last'}


def judge(cluster, verdict, text):
    key = f'new/{next(NUMBERS)}'
    targets = {'old': '/old', 'new': path_of(key), 'post': path_of(key)}
    with Wire(cluster.master.port) as wire:
        if verdict == 'ends':
            send(wire, text, targets)
            answers = answers_of(wire.half_close(), text)
            is_whole = text.endswith('\n\n')
            assert [one.status < 400 for one in answers] == [True] if is_whole else \
                all(one.status >= 400 for one in answers), answers
            assert cluster.get(key).status == 404
            return {'ends'}
        send(wire, text, targets)
        if verdict == 'waits':
            assert not wire.is_answered(0.3)
            return {'waits'}
        # What follows an empty line at the end of a message is a request of its own.
        return verdicts(answers_of(wire.send(PROBE), text))


def cases(name, table):
    return pytest.mark.parametrize('case', table, ids=lambda case: f'{name} {case[0]}')


@cases('h1spec', H1SPEC)
def test_checks(small, case):
    _, verdict, text = case
    assert verdict in judge(small, verdict, text)


@cases('llhttp', LLHTTP)
def test_requests(small, case):
    """A difference is one: it is gone from the list once it is gone."""
    name, verdict, text = case
    ours, _ = DIFFERENCES.get(name, (verdict, ''))
    assert ours in judge(small, ours, text)
    assert name not in DIFFERENCES or verdict not in judge(small, ours, text)


def test_none_is_missing():
    assert (len(H1SPEC), len(LLHTTP)) == (33, 166)
    assert len({name for name, _, _ in LLHTTP}) == 166
    assert DIFFERENCES.keys() <= {name for name, _, _ in LLHTTP}
