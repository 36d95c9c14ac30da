# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP as RFC 9110 and its relatives have it, in small things that clients, caches and browsers rely on."""

import base64
import email.utils
import hashlib
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
def test_not_modified_lets_caches_keep_what_they_have(cluster):
    etag = cluster.put('304', b'value').expect(201)['ETag']
    for target in '/304', cluster.redirect('304'):
        answer = cluster.request('GET', target, headers={'If-None-Match': etag}).expect(304)
        assert answer['ETag'] == etag and answer['Cache-Control'] == 'no-cache'
        assert answer['Content-Length'] in (None, '5')


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
