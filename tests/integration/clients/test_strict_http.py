# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP as RFC 9110 and its relatives have it, in small things that clients, caches and browsers rely on."""

import base64
import email.utils
import hashlib
import socket
import time

import pytest

from cluster import path_of, wait_for

WAYS = ['small', 'relayed', 'redirected']


def write(cluster, key, value, headers, way='small', method='PUT'):
    """A write whose body the master takes, passes on, or has sent to a volume."""
    value = value if way == 'small' else value + bytes(100000)
    if way != 'redirected':
        return cluster.request(method, path_of(key), value, headers)
    lines = [f'{name}: {text}' for name, text in headers.items()]
    with cluster.raw().head(method, path_of(key), f'Content-Length: {len(value)}',
                            'Expect: 100-continue', *lines) as raw:
        answer = raw.answer()
    if answer.status != 307:
        return answer
    return cluster.request(method, answer['Location'], value, headers)


def date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.mark.sanitize
@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('method', ['PUT', 'POST'])
def test_part_of_a_value_is_refused(cluster, way, method):
    key = f'part-{way}'
    cluster.put(key, b'whole').expect(201, 204)
    answer = write(cluster, key, b'tail', {'Content-Range': 'bytes 6-9/10'}, way, method).expect(400)
    assert 'Content-Range' in answer.json['detail']
    assert cluster.get(key).body == b'whole'
    if way == 'redirected':  # also if only the volume hears of it
        url = cluster.write_redirect(key)
        cluster.request('PUT', url, b'tail', {'Content-Range': 'bytes 6-9/10'}).expect(400)
        assert cluster.get(key).body == b'whole'


@pytest.mark.sanitize
@pytest.mark.parametrize('way', WAYS)
def test_if_unmodified_since(cluster, way):
    key = f'unmodified-{way}'
    etag = cluster.put(key, b'old').expect(201)['ETag']
    stored = email.utils.mktime_tz(email.utils.parsedate_tz(cluster.head(key)['Last-Modified']))
    before, then = date(stored - 10), date(stored)

    write(cluster, key, b'new', {'If-Unmodified-Since': before}, way).expect(412)
    cluster.delete(key, if_unmodified_since=before).expect(412)
    cluster.get(key, if_unmodified_since=before).expect(412)
    cluster.head(key, if_unmodified_since=before).expect(412)
    assert cluster.get(key).body == b'old'
    # ETags come first, and what is no date is ignored
    cluster.get(key, if_unmodified_since=before, if_match=etag).expect(200)
    cluster.get(key, if_unmodified_since='yesterday').expect(200)
    write(cluster, key, b'', {'If-Unmodified-Since': before, 'If-Match': etag}, way).expect(204)
    write(cluster, key, b'', {'If-Unmodified-Since': date(time.time() + 60)}, way).expect(204)
    cluster.get(key, if_unmodified_since=then)
    write(cluster, key + '-new', b'', {'If-Unmodified-Since': before}, way).expect(201)
    if way == 'redirected':  # it is decided at the commit
        url = cluster.write_redirect(key)
        cluster.request('PUT', url, b'new', {'If-Unmodified-Since': before}).expect(412)


def test_if_unmodified_since_of_deletions(cluster):
    cluster.put('deletion', b'').expect(201)
    cluster.delete('deletion', if_unmodified_since=date(time.time() - 100)).expect(412)
    cluster.delete('deletion', if_unmodified_since=date(time.time() + 100)).expect(204)


@pytest.mark.sanitize
def test_if_modified_since(cluster):
    etag = cluster.put('modified', b'value').expect(201)['ETag']
    since = cluster.head('modified')['Last-Modified']
    url = cluster.redirect('modified')
    earlier = date(time.time() - 1000)

    for method, target in ('GET', '/modified'), ('HEAD', '/modified'), ('GET', url), ('HEAD', url):
        def ask(headers):
            return cluster.request(method, target, headers=headers).status

        good = 307 if (method, target) == ('GET', '/modified') else 200
        assert ask({'If-Modified-Since': since}) == 304
        assert ask({'If-Modified-Since': earlier}) == good
        assert ask({'If-Modified-Since': 'never'}) == good
        assert ask({'If-Modified-Since': since, 'If-None-Match': '"x"'}) == good
        assert ask({'If-Modified-Since': earlier, 'If-None-Match': etag}) == 304
    cluster.put('modified', b'other', if_modified_since=since).expect(204)  # not for writes


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [0, 5, 3000, 200_000])
@pytest.mark.parametrize('method', ['GET', 'HEAD'])
@pytest.mark.parametrize('condition', ['If-None-Match', 'If-Modified-Since'])
def test_not_modified_lets_caches_keep_what_they_have(cluster, size, method, condition):
    """The length of a 304 is that of the value, as RFC 9110 8.6 wants it if there is one at all: a
    cache that is told 0 would empty what it has."""
    key = f'304-{size}'
    etag = cluster.put(key, b'v' * size)['ETag']
    value = {'If-None-Match': etag, 'If-Modified-Since': cluster.head(key)['Last-Modified']}[condition]
    for target in f'/{key}', f'/{key}?proxy=1', cluster.redirect(key):
        answer = cluster.request(method, target, headers={condition: value}).expect(304)
        assert answer['ETag'] == etag and answer['Cache-Control'] == 'no-cache'
        assert answer['Content-Length'] == str(size)
        assert answer.body == b''


@pytest.mark.sanitize
def test_lists_in_several_lines_are_one(cluster):
    etag = cluster.put('lines', b'value').expect(201)['ETag']

    def ask(method, *lines):
        with cluster.raw().head(method, '/lines', *lines) as raw:
            return raw.answer(method).status

    assert ask('PUT', 'Content-Length: 0', 'If-None-Match: "x"', 'If-None-Match: *') == 412
    assert ask('PUT', 'Content-Length: 0', 'If-None-Match: "x"', f'If-None-Match: {etag}') == 412
    assert ask('HEAD', 'If-Match: "x"', f'if-match: "y", {etag}') == 200
    assert ask('HEAD', 'If-Match: "x"', 'If-Match: "y"') == 412
    assert ask('HEAD', 'If-None-Match: "x"', f'If-None-Match: {etag}') == 304
    assert cluster.get('lines').body == b'value'


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 'volume'])
@pytest.mark.parametrize('line', [
    b'Dkv-Meta-Camera Model: X', b'Dkv-Meta-(x): y', b'Dkv-Meta-\xe9: y', b'Dkv-Meta-: y', b'Dkv-Meta-X: ',
    b'Dkv-Meta-X: a\x01b', b'Dkv-Meta-X: a\x7fb', b'Content-Type: text/pl\xc3\xa4in',
    b'Content-Type: text/plain; name=\xff', b'Content-Type: text', b'Content-Type: text/',
    b'Content-Type: /plain', b'Content-Type: text/plain x', b'Content-Type: te xt/plain',
    b'Content-Type: text/plain\r\nContent-Type: text/html', b'Content-Disposition: a\x02',
    b'Cache-Control: \x1b[0m', b'Content-Encoding: gzip\x7f'], ids=lambda line: str(line)[2:-1])
def test_what_could_not_be_sent_back_is_refused(cluster, who, line):
    target, where = '/unsendable', 'master'
    if who == 'volume':
        url = cluster.write_redirect('unsendable')
        target, where = '/' + url.split('/', 3)[3], cluster.volume_of(url)
    with cluster.raw(where) as raw:
        raw.send(f'PUT {target} HTTP/1.1\r\nHost: dkv\r\nContent-Length: 1\r\n'.encode() + line
                 + b'\r\n\r\n1')
        assert raw.answer().status == 400
    cluster.get('unsendable').expect(404)


@pytest.mark.sanitize
@pytest.mark.parametrize('way', WAYS)
def test_what_belongs_to_a_value_is_kept(new_cluster, way):
    """Also by its other copies, and through the master."""
    cluster = new_cluster(volumes=2, copies=2, master={'VolumeTimeoutSec': '1s'})
    headers = {
        'Content-Type': 'text/html; charset=utf-8', 'Content-Encoding': 'gzip',
        'Content-Language': 'de, en', 'Content-Disposition': 'attachment; filename="a b.html"',
        'Cache-Control': 'public, max-age=600', 'Dkv-Meta-Author': 'Adé'.encode()}
    write(cluster, 'k', b'value', headers, way).expect(201)
    headers['Dkv-Meta-Author'] = headers['Dkv-Meta-Author'].decode('latin-1')

    answers = [cluster.head('k')]
    for n in cluster.volumes:
        cluster.kill(3 - n)
        wait_for(lambda: not cluster.health()['volumes'][2 - n]['up'], 'one volume down')
        answers += [cluster.get('k'), cluster.get('k', '?proxy=1')]
        cluster.start(3 - n)
        cluster.wait_healthy()
    for answer in answers:
        assert {name: answer.expect(200)[name] for name in headers} == headers


def test_a_value_without_a_type_is_no_page(cluster):
    cluster.request('PUT', '/page', b'<script>alert(1)</script>').expect(201)
    for answer in (cluster.head('page'), cluster.get('page'), cluster.get('page', '?proxy=1')):
        assert answer['Content-Type'] == 'application/octet-stream'
        assert answer['X-Content-Type-Options'] == 'nosniff'
    assert cluster.where('page')['content_type'] == ''


def digest(algorithm, value):
    return base64.b64encode(hashlib.new(algorithm, value).digest()).decode()


@pytest.mark.sanitize
@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('name, algorithm, form', [
    ('Content-MD5', 'md5', '{}'), ('Content-Digest', 'sha256', 'sha-256=:{}:'),
    ('Repr-Digest', 'sha512', 'sha-512=:{}:'), ('Repr-Digest', 'md5', 'crc32c=:AAAA:, md5=:{}:')])
def test_digests_are_checked(cluster, way, name, algorithm, form):
    value = b'value' if way == 'small' else b'value' + bytes(100000)
    key = f'digest-{way}-{algorithm}-{name}'
    right, wrong = form.format(digest(algorithm, value)), form.format(digest(algorithm, b'other'))

    answer = write(cluster, key, b'value', {name: wrong}, way).expect(400)
    assert 'digest' in answer.json['detail']
    write(cluster, key, b'value', {name: form.format('!')}, way).expect(400)
    cluster.get(key).expect(404)
    write(cluster, key, b'value', {name: right}, way).expect(201)
    for answer in cluster.head(key), cluster.get(key), cluster.get(key, '?proxy=1'):
        assert answer[name] == right
    part = cluster.get(key, range='bytes=0-1').expect(206)
    assert part[name] == (right if name == 'Repr-Digest' else None)


def test_digests_of_unknown_kinds_are_not_vouched_for(cluster):
    cluster.put('crc', b'value', repr_digest='crc32c=:AAAA:').expect(201)
    assert cluster.head('crc')['Repr-Digest'] is None


def test_a_wrong_digest_of_chunks_leaves_the_old_value(cluster):
    cluster.put('chunks', b'old').expect(201)
    cluster.put('chunks', iter([b'x' * 50000] * 3), content_md5=digest('md5', b'')).expect(400)
    assert cluster.get('chunks').body == b'old'


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
def test_methods(cluster, who):
    """405 says which ones work, and those do; 501 is for what no server of the web knows."""
    for method in 'BREW', 'get', 'PROPFIND':
        cluster.request(method, '/k', who=who).expect(501)
    for path in '/k', '/-/health':
        allow = cluster.request('PATCH', path, who=who).expect(405)['Allow'].split(', ')
        for method in 'GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'TRACE':
            status = cluster.request(method, path, who=who).status
            assert (status not in (405, 501)) == (method in allow), (method, status, allow)
    assert cluster.request('PUT', '/-/health', who=who).expect(405)['Allow'] == 'GET, HEAD, OPTIONS'
    for path in '/-/nothing', '/%2d/health', '/-%2Fhealth', '/%2D%2fx':
        for method in 'GET', 'PUT', 'POST', 'DELETE':
            cluster.request(method, path, who=who).expect(404)


def test_head_of_a_listing(cluster):
    cluster.put('head/x', b'').expect(201)
    answer = cluster.request('HEAD', '/?prefix=head/').expect(200)
    assert answer['Content-Type'] == 'application/json'
    done = cluster.curl('-I', '--fail', cluster.url + '/')
    assert done.returncode == 0 and done.stdout.startswith(b'HTTP/1.1 200')


@pytest.mark.parametrize('path', ['/a/../b', '/./a', '/a/.', '/..', '/%2e%2e/a', '/a/.%2E/b', '/a%2f..%2fb'])
def test_segments_that_clients_drop_are_refused(cluster, path):
    for method in 'PUT', 'POST':
        answer = cluster.request(method, path, b'x').expect(400)
        assert 'segment' in answer.json['detail']
    for method in 'GET', 'HEAD', 'DELETE':
        cluster.request(method, path).expect(404)
    for path in '/a/...', '/.a/b', '/a/..b', '/a/b.', '/a//b':
        cluster.request('PUT', path, b'x').expect(201, 204)
        cluster.get(path[1:]).expect(200)


@pytest.mark.parametrize('target, store', [
    ('/', 'no-store'), ('/none', 'no-store'), ('/cached', 'no-store'), ('/-/where/cached', 'no-store'),
    ('/-/health', 'no-store'), ('/%', 'no-store'), ('/cached?proxy=1', 'no-cache')])
def test_what_caches_may_keep(cluster, target, store):
    cluster.put('cached', b'x').expect(201, 204)
    assert cluster.request('GET', target)['Cache-Control'] == store
    assert cluster.get('cached')['Cache-Control'] == 'no-cache'


def test_reader_without_a_ticket_is_sent_to_the_master(cluster):
    """As a relative link of a page leads him, which the volume has sent."""
    cluster.put('page/index.html', b'x').expect(201)
    cluster.put('page/next.html', b'next').expect(201)
    url = cluster.redirect('page/index.html')
    for method in 'GET', 'HEAD':
        answer = cluster.request(method, url.partition('?')[0].replace('index', 'next')).expect(307)
        assert answer['Location'] == cluster.url + '/page/next.html'
    n = cluster.volume_of(url)
    answer = cluster.request('GET', '/page/next.html?verify=1', who=n).expect(307)
    assert answer['Location'].endswith('/page/next.html?verify=1')
    assert cluster.curl('-L', f'{url.partition("?")[0]}').stdout == b'x'
    port = cluster.master.port  # seen from another machine, the master is where the volume is
    answer = cluster.request('GET', '/k', headers={'Host': 'dkv.example.com:3001'}, who=n).expect(307)
    assert answer['Location'] == f'http://dkv.example.com:{port}/k'
    cluster.request('GET', '/k?v=1', who=n).expect(403)
    cluster.request('PUT', '/k', b'x', who=n).expect(403)


FOREIGN = ['http://evil.example', 'https://127.0.0.1.evil.example', 'null', 'http://evil.example:3000', '']


@pytest.mark.sanitize
@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('origin', FOREIGN)
def test_foreign_pages_change_nothing(cluster, way, origin):
    cluster.put('foreign', b'old').expect(201, 204)
    for method in 'PUT', 'POST':
        write(cluster, 'foreign', b'new', {'Origin': origin}, way, method).expect(403)
    for path in '/foreign', '/-/report':
        cluster.request('DELETE' if path == '/foreign' else 'POST', path, headers={'Origin': origin}).expect(403)
    assert cluster.get('foreign').body == b'old'
    answer = cluster.get('foreign', origin=origin).expect(200)  # which the page cannot read
    assert answer['Access-Control-Allow-Origin'] is None
    answer = cluster.request('OPTIONS', '/foreign', headers={
        'Origin': origin, 'Access-Control-Request-Method': 'PUT'}).expect(204)
    assert answer['Access-Control-Allow-Origin'] is None
    assert answer['Access-Control-Allow-Methods'] is None


def test_names_that_others_let_point_here(cluster):
    """DNS rebinding: the page's own name leads here, so it is of the same origin."""
    for host, status in [('evil.example:3000', 403), ('localhost.evil.example', 403), ('127.0.0.1.evil.example', 403),
                         (f'127.0.0.1:{cluster.master.port}', 204), ('localhost:3000', 204), ('[::1]:3000', 204),
                         (socket.gethostname().partition('.')[0], 204)]:
        cluster.put('name', b'old').expect(201, 204)
        cluster.put('name', b'new', host=host, origin=f'http://{host}').expect(status)
    cluster.put('name', b'new', host='any.example').expect(204)  # no page: programs may call us as they like


def test_allowed_pages_may_do_everything(new_cluster):
    page = 'https://app.example'
    settings = {'CorsOrigins': f'http://other.example {page}'}
    cluster = new_cluster(volumes=1, master=settings, volume=settings)
    answer = cluster.request('OPTIONS', '/k', headers={
        'Origin': page, 'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'content-type, dkv-meta-x'}).expect(204)
    assert answer['Access-Control-Allow-Origin'] == page
    assert 'PUT' in answer['Access-Control-Allow-Methods'] and 'DELETE' in answer['Access-Control-Allow-Methods']
    assert answer['Access-Control-Allow-Headers'] == 'content-type, dkv-meta-x'

    answers = [cluster.put('k', b'x', origin=page).expect(201), cluster.head('k', origin=page).expect(200),
               cluster.request('GET', '/k', headers={'Origin': page}).expect(307),
               cluster.request('GET', '/none', headers={'Origin': page}).expect(404)]
    for answer in answers:
        assert answer['Access-Control-Allow-Origin'] == page and answer['Vary'] == 'Origin'
    for origin in page, 'null':  # which browsers say behind a redirect
        answer = cluster.request('GET', cluster.redirect('k'), headers={'Origin': origin}).expect(200)
        assert answer['Access-Control-Allow-Origin'] == origin
        url = cluster.write_redirect('k')
        cluster.request('PUT', url, b'y', {'Origin': origin}).expect(204)
    cluster.put('k', b'x', origin='null').expect(403)
    cluster.put('k', b'x', origin='https://evil.example').expect(403)
    cluster.delete('k', origin=page).expect(204)
