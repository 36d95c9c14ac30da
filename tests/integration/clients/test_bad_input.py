# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests that must be refused, and refused without damage."""

import random

import pytest

from cluster import path_of, wait_for

BRIEF = {'GraceSec': '1s', 'TicketSec': '1s', 'ValueSizeMax': '1M'}


def body_of(method):
    return b'x' if method in ('PUT', 'POST') else None


@pytest.mark.sanitize
@pytest.mark.parametrize('method', ['PUT', 'POST', 'GET', 'HEAD', 'DELETE'])
@pytest.mark.parametrize('path, status', [
    ('/%', 400), ('/a%4', 400), ('/a%zz', 400), ('/%00', 400), ('/a%00b', 400),
    ('/' + 'k' * 1025, 414), ('/' + '%41' * 1025, 414)], ids=lambda x: str(x)[:8])
def test_bad_key(cluster, method, path, status):
    cluster.request(method, path, body_of(method)).expect(status)


@pytest.mark.parametrize('method', ['PUT', 'POST', 'DELETE'])
def test_empty_key(cluster, method):
    cluster.request(method, '/', body_of(method)).expect(400)


@pytest.mark.sanitize
@pytest.mark.parametrize('path', ['/-/x', '/-/', '/%2d/x', '/-%2fx', '/-/health', '/-/where/x'])
@pytest.mark.parametrize('method', ['PUT', 'POST', 'DELETE'])
def test_reserved_keys_are_nobodys(cluster, method, path):
    cluster.request(method, path, body_of(method)).expect(404, 405)
    cluster.request('GET', '/-/nothing').expect(404, 405)


def test_unknown_method(cluster):
    answer = cluster.request('PATCH', '/k', b'x').expect(405)
    assert 'PUT' in answer['Allow']


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
@pytest.mark.parametrize('headers', [
    'Host: a\r\nHost: b', 'Host: a\r\nHost: a',
    'Host: a\r\nContent-Length: 1\r\nContent-Length: 2',
    'Host: a\r\nContent-Length: 1\r\nContent-Length: 1',
    'Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked', 'Host: a\r\nContent-Length: x',
    'Host: a\r\nContent-Length: -1', 'Content-Length: 1'], ids=lambda x: x.replace('\r\n', ' '))
def test_ambiguous_message(cluster, who, headers):
    with cluster.raw(who) as raw:
        raw.send(f'PUT /ambiguous HTTP/1.1\r\n{headers}\r\n\r\n', '1')
        assert raw.answer().status == 400
    cluster.get('ambiguous').expect(404)


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
@pytest.mark.parametrize('headers', [
    ['X: ' + 'x' * 20000], [f'X-{n}: {n:0100}' for n in range(200)]], ids=['one', 'many'])
def test_header_section_over_the_limit(cluster, who, headers):
    with cluster.raw(who).head('GET', '/k', *headers) as raw:
        assert raw.answer().status == 431


@pytest.mark.parametrize('who', ['master', 1])
@pytest.mark.parametrize('garbage', [
    b'\0' * 100, b'GET\r\n\r\n', b'\xff\xfe\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n',
    random.Random(1).randbytes(3000)], ids=range(5))
def test_garbage_does_no_harm(cluster, who, garbage):
    with cluster.raw(who) as raw:
        raw.send(garbage)
        raw.half_close()
        try:
            while raw.socket.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert cluster.health(who)['status'] == 'ok'


HEAD = b'PUT /malformed HTTP/1.1\r\nHost: dkv\r\n'
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n'


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
@pytest.mark.parametrize('message, status', [
    (b'PUT /malformed\r\n\r\n', 400), (b'PUT /malformed FTP/1.1\r\n\r\n', 400),
    (b'PUT /malformed HTTP/2.0\r\n\r\n', 505), (HEAD + b'no colon\r\n\r\n', 400),
    (HEAD + b'Content-Length: 99999999999999999999\r\n\r\n', 413),
    (HEAD + b'X: ' + 100000 * b'x', 431), (HEAD + 10000 * b'X: y\r\n', 431),
    (b'PUT /' + 100000 * b'x', 414), (CHUNKED + b'x\r\n', 400),
    (CHUNKED + b'5\r\nhelloXX\r\n', 400), (CHUNKED + b'99999999999999999999\r\n', 413)],
    ids=range(11))
def test_what_no_handler_sees(cluster, who, message, status):
    """The server answers it, and closes. A volume says that a ticket is missing before it looks at the body."""
    with cluster.raw(who) as raw:
        try:
            raw.send(message)
        except ConnectionError:
            pass  # it need not read all
        answer = raw.answer()
        assert answer['Content-Type'] == 'application/problem+json'
        if answer.status != 403 or who == 'master' or not message.startswith(CHUNKED):
            assert (answer.status, answer['Connection']) == (status, 'close')
        try:
            assert raw.socket.recv(1) == b''
        except ConnectionResetError:
            pass
    cluster.get('malformed').expect(404)


@pytest.mark.sanitize
@pytest.mark.parametrize('ending', ['reset', 'half_close'])
@pytest.mark.parametrize('how', ['relayed', 'redirected', 'chunked', 'chunked-redirected'])
@pytest.mark.parametrize('size', [1000, 100000])
def test_client_that_goes_away_leaves_nothing(new_cluster, how, ending, size):
    cluster = new_cluster(volumes=2, copies=2, master={**BRIEF, 'TimeoutSec': '2s'},
                          volume={'TimeoutSec': '2s'})
    cluster.put('old', b'old').expect(201)

    for key in 'old', 'new':
        chunked = how.startswith('chunked')
        who, target = 'master', path_of(key)
        if how.endswith('redirected'):
            url = cluster.write_redirect(key)
            who, target = cluster.volume_of(url), '/' + url.split('/', 3)[3]
        with cluster.raw(who) as raw:
            if chunked:
                raw.head('PUT', target, 'Transfer-Encoding: chunked').chunk(b'x' * (size - 1))
            else:
                raw.head('PUT', target, f'Content-Length: {size}').send(b'x' * (size - 1))
            getattr(raw, ending)()

    cluster.wait_clean()
    assert cluster.get('old').body == b'old'
    cluster.get('new').expect(404)
    assert cluster.objects() == 2


def test_malformed_chunks(cluster):
    with cluster.raw().head('PUT', '/chunks', 'Transfer-Encoding: chunked') as raw:
        raw.send('5\r\nhelloXX\r\n0\r\n\r\n')
        raw.half_close()
        try:
            assert raw.socket.recv(4096)[9:12] in (b'', b'400')
        except ConnectionResetError:
            pass
    cluster.get('chunks').expect(404)


@pytest.mark.sanitize
def test_value_over_the_limit(new_cluster):
    cluster = new_cluster(volumes=1, master=BRIEF)
    limit = 1 << 20
    cluster.put('k', b'x' * limit).expect(201)

    cluster.put('k', b'y' * (limit + 1)).expect(413)
    cluster.put('k', iter([b'y' * limit, b'y'])).expect(413)  # chunked: not known in advance
    length = f'Content-Length: {limit + 1}'
    with cluster.raw().head('PUT', '/k', length, 'Expect: 100-continue') as raw:
        raw.answer().expect(413)
    url = cluster.write_redirect('k')
    cluster.request('PUT', url, iter([b'y' * limit, b'y'])).expect(413)
    url = cluster.write_redirect('k', size=limit)
    cluster.request('PUT', url, b'y' * (limit + 1)).expect(413)

    assert cluster.get('k').body == b'x' * limit
    cluster.wait_clean()
    assert cluster.objects() == 1


def test_metadata_over_the_limit(cluster):
    cluster.put('meta', b'x', dkv_meta_long='m' * 9000).expect(400, 413, 431)
    cluster.put('meta', b'x', content_type='t/' + 't' * 300).expect(400, 413, 431)
    cluster.get('meta').expect(404)


# Tickets

@pytest.fixture(scope='module')
def tickets(cluster):
    for key in 'ticket', 'other':
        cluster.put(key, key.encode()).expect(201)
    return cluster


@pytest.mark.sanitize
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'])
def test_ticket_missing(tickets, method):
    statuses = [307] if method in ('GET', 'HEAD') else [403, 405]  # readers are sent to the master
    for n in tickets.volumes:
        tickets.request(method, '/ticket', who=n).expect(*statuses)
        tickets.request(method, '/ticket?', who=n).expect(*statuses)


@pytest.mark.sanitize
def test_ticket_altered_anywhere(tickets):
    url = tickets.redirect('ticket')
    tickets.request('GET', url).expect(200)
    start = url.index('?') + 1
    for i in range(start, len(url)):
        altered = url[:i] + ('0' if url[i] != '0' else '1') + url[i + 1:]
        tickets.request('GET', altered).expect(403)
    for i in range(start + 1, len(url)):
        tickets.request('GET', url[:i]).expect(403)
    tickets.request('GET', f'{url}{url[start:]}').expect(403)


def test_write_ticket_altered(tickets):
    url = tickets.write_redirect('ticket')
    for i in range(url.index('?') + 1, len(url)):
        altered = url[:i] + ('0' if url[i] != '0' else '1') + url[i + 1:]
        tickets.request('PUT', altered, b'12345').expect(403)
    assert tickets.get('ticket').body == b'ticket'


@pytest.mark.sanitize
def test_ticket_for_another_key_method_or_version(tickets):
    read, write = tickets.redirect('ticket'), tickets.write_redirect('ticket')
    other = tickets.redirect('other')

    tickets.request('GET', read.replace('/ticket?', '/other?')).expect(403)
    tickets.request('PUT', write.replace('/ticket?', '/other?'), b'x').expect(403)
    for method in 'PUT', 'POST', 'DELETE':
        tickets.request(method, read, body_of(method)).expect(403, 405)
    for method in 'GET', 'HEAD', 'POST', 'DELETE':
        tickets.request(method, write, body_of(method)).expect(403, 405)
    tickets.request('PUT', tickets.write_redirect('new', method='POST'), b'x').expect(403)
    tickets.request('GET', read.partition('?')[0] + '?' + other.partition('?')[2]).expect(403)
    assert tickets.get('ticket').body == b'ticket'


@pytest.mark.sanitize
def test_ticket_expires(new_cluster):
    cluster = new_cluster(volumes=1, master={'TicketSec': '1s'})
    cluster.put('k', b'old').expect(201)
    write = cluster.write_redirect('k')
    read = cluster.redirect('k')  # the later one ends later

    cluster.request('GET', read).expect(200)
    wait_for(lambda: cluster.request('GET', read).expect(200, 403).status == 403, 'its end')
    cluster.request('PUT', write, b'new').expect(403)
    assert cluster.get('k').body == b'old'


def test_ticket_of_another_cluster(tickets, new_cluster):
    stranger = new_cluster(volumes=1)
    stranger.put('ticket', b'x').expect(201)
    query = stranger.redirect('ticket').partition('?')[2]
    for n in tickets.volumes:
        tickets.request('GET', f'/ticket?{query}', who=n).expect(403)


@pytest.mark.parametrize('path', [
    '/-/hello', '/-/fetch', '/-/report', '/-/store', '/-/channel', '/-/copy/k'])
@pytest.mark.parametrize('signature', [None, '', 'x', '99999999999.' + 32 * 'a'])
@pytest.mark.parametrize('who', ['master', 1])
def test_daemons_own_calls_need_a_signature(cluster, who, path, signature):
    headers = {} if signature is None else {'Dkv-Signature': signature}
    for method in 'PUT', 'POST':
        cluster.request(method, path, b'{}', headers, who=who).expect(403, 404, 405)
