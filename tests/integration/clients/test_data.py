# SPDX-License-Identifier: LGPL-2.1-or-later
"""What PUT, POST, GET, HEAD and DELETE of one key mean."""

import email.utils
import hashlib
import re
import time

import pytest

from cluster import path_of

ALL_BYTES = bytes(range(1, 256))
SIZES = [0, 1, 32767, 32768, 32769, 1 << 20]


def value_of(size):
    """Bytes without a period that a buffer's size could hide."""
    return hashlib.shake_128(str(size).encode()).digest(size)


@pytest.mark.sanitize
def test_put_creates_then_replaces(cluster):
    created = cluster.put('life', b'one').expect(201)
    replaced = cluster.put('life', b'two').expect(204)

    assert cluster.get('life').expect(200).body == b'two'
    assert created['ETag'] != replaced['ETag']
    assert int(replaced['Dkv-Version']) > int(created['Dkv-Version'])


@pytest.mark.sanitize
def test_post_only_creates(cluster):
    cluster.post('post', b'one').expect(201)
    cluster.post('post', b'two').expect(409)
    assert cluster.get('post').body == b'one'


@pytest.mark.sanitize
def test_delete_deletes(cluster):
    cluster.put('gone', b'x').expect(201)
    assert cluster.delete('gone').expect(204).body == b''

    cluster.delete('gone').expect(404)
    cluster.get('gone').expect(404)
    cluster.head('gone').expect(404)
    cluster.put('gone', b'y').expect(201)


def test_missing_key_is_a_problem(cluster):
    answer = cluster.get('no/such/key').expect(404)
    assert answer['Content-Type'] == 'application/problem+json'
    assert answer.json['status'] == 404


@pytest.mark.sanitize
def test_get_is_redirected_with_a_hint(cluster):
    cluster.put('hint', b'there').expect(201)
    answer = cluster.request('GET', '/hint').expect(307)

    assert cluster.volume_of(answer['Location']) in cluster.volumes
    assert b'-L' in answer.body, 'who forgot -L is told'
    assert cluster.request('GET', answer['Location']).expect(200).body == b'there'


@pytest.mark.sanitize
def test_head_is_answered_by_the_index(cluster):
    put = cluster.put('head', b'12345', content_type='text/plain').expect(201)
    head = cluster.head('head').expect(200)
    get = cluster.get('head')

    assert head['Content-Length'] == '5'
    for name in 'ETag', 'Dkv-Version':
        assert head[name] == put[name] == get[name]
    for name in 'Content-Type', 'Last-Modified':
        assert head[name] == get[name]
    modified = email.utils.parsedate_to_datetime(head['Last-Modified'])
    assert abs(modified.timestamp() - time.time()) < 60


@pytest.mark.sanitize
@pytest.mark.parametrize('query', ['', '?proxy=1'])
def test_headers_are_kept(cluster, query):
    cluster.put('kept', b'{}', content_type='application/x-dkv; a="b c"',
                dkv_meta_author='J. Müller'.encode()).expect(201, 204)

    for answer in cluster.get('kept', query).expect(200), cluster.head('kept').expect(200):
        assert answer['Content-Type'] == 'application/x-dkv; a="b c"'
        assert answer['Dkv-Meta-Author'].encode('latin-1') == 'J. Müller'.encode()


@pytest.mark.sanitize
def test_largest_metadata_and_a_large_request_at_once(cluster):
    metadata = {f'dkv_meta_{n}': f'{n:0130}' for n in range(60)}
    key = 'k' * 1000
    cluster.put(key, b'v', **metadata).expect(201)

    for answer in (cluster.get(key, x='x' * 14000), cluster.get(key, '?proxy=1', x='x' * 14000),
                   cluster.head(key, x='x' * 14000)):
        answer.expect(200)
        for name, value in metadata.items():
            assert answer[name.replace('_', '-')] == value


def test_headers_belong_to_one_version(cluster):
    cluster.put('meta', b'1', dkv_meta_colour='red', content_type='a/b').expect(201)
    cluster.put('meta', b'2').expect(204)
    assert cluster.get('meta')['Dkv-Meta-Colour'] is None
    assert cluster.get('meta')['Content-Type'] != 'a/b'


def test_etag_is_strong_and_of_the_content(cluster):
    tag = cluster.put('etag/a', b'same').expect(201)['ETag']
    assert re.fullmatch(r'"x3-[0-9a-f]{32}"', tag)
    assert cluster.put('etag/b', b'same').expect(201)['ETag'] == tag
    assert cluster.put('etag/b', b'else').expect(204)['ETag'] != tag


@pytest.mark.sanitize
@pytest.mark.parametrize('key', [
    'a b', 'ü/ß', '%', '%41', 'a?b#c', 'a//b', '..x', 'x.', '...', 'dir/', '+', '&=;', '-',
    '-a', 'x/-/y', '"quotes"', '\\', '\n', 'x' * 1024, 'ß' * 512, ALL_BYTES],
    ids=lambda key: repr(key)[:20])
def test_any_key_goes(cluster, key):
    cluster.put(key, b'of ' + path_of(key).encode()).expect(201)
    assert cluster.get(key).expect(200).body == b'of ' + path_of(key).encode()
    assert cluster.get(key, '?proxy=1').expect(200).body == b'of ' + path_of(key).encode()
    cluster.head(key).expect(200)
    assert cluster.where(key)['key'] == path_of(key)[1:]
    cluster.delete(key).expect(204)


def test_one_key_has_many_spellings(cluster):
    cluster.put('spelt/~x', b'x').expect(201)
    assert cluster.request('HEAD', '/%73pelt%2f%7Ex').expect(200)


@pytest.mark.sanitize
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('how', ['length', 'chunked', 'expect', 'no-expect'])
def test_sizes_round_trip_through_curl(cluster, tmp_path, size, how):
    value, url = value_of(size), f'{cluster.url}/sizes/{how}/{size}'
    file = tmp_path / 'value'
    file.write_bytes(value)
    arguments = {
        'length': ['-T', file],
        'chunked': ['-T', '-'],
        'expect': ['-T', file, '-H', 'Expect: 100-continue'],
        'no-expect': ['-T', file, '-H', 'Expect:'],
    }[how]

    put = cluster.curl('-L', '-w', '%{http_code}', *arguments, url,
                       data=value if how == 'chunked' else None)
    assert (put.returncode, put.stdout) == (0, b'201'), put
    for query in '', '?proxy=1':
        get = cluster.curl('-L', url + query)
        assert get.returncode == 0 and get.stdout == value
    assert int(cluster.head(f'sizes/{how}/{size}')['Content-Length']) == size


@pytest.mark.sanitize
def test_client_that_waits_is_sent_to_a_volume(cluster):
    """It is told before it has sent a byte, and its version is the one that the ticket names."""
    url = cluster.write_redirect('waits')
    put = cluster.request('PUT', url, b'12345', {'Content-Type': 'text/x'}).expect(201)

    get = cluster.get('waits').expect(200)
    assert (get.body, get['Content-Type'], get['ETag']) == (b'12345', 'text/x', put['ETag'])
    assert get['Dkv-Version'] == put['Dkv-Version'] == cluster.head('waits')['Dkv-Version']
    cluster.request('PUT', cluster.write_redirect('waits'), b'6').expect(204)


def test_post_that_waits_creates_only(cluster):
    url = cluster.write_redirect('post-waits', method='POST')
    cluster.request('POST', url, b'1').expect(201)
    waits = 'Content-Length: 1', 'Expect: 100-continue'
    with cluster.raw().head('POST', '/post-waits', *waits) as raw:
        raw.answer().expect(409)

    late = cluster.write_redirect('post-late', method='POST')
    cluster.put('post-late', b'first').expect(201)
    cluster.request('POST', late, b'x').expect(409)
    assert cluster.get('post-late').body == b'first'


@pytest.mark.sanitize
def test_curl_follows_a_large_upload(cluster, tmp_path):
    file = tmp_path / '2M'
    file.write_bytes(value_of(2 << 20))
    done = cluster.curl('-L', '-T', file, '-w', '%{http_code} %{num_redirects}',
                        f'{cluster.url}/large')
    assert done.stdout == b'201 1'
    assert cluster.get('large').body == file.read_bytes()


@pytest.mark.sanitize
@pytest.mark.parametrize('query', ['', '?proxy=1'])
@pytest.mark.parametrize('size', [1000, 100000])
@pytest.mark.parametrize('spec, expected', [
    ('bytes=0-0', slice(0, 1)), ('bytes=0-9', slice(0, 10)), ('bytes=990-', slice(990, None)),
    ('bytes=-10', slice(-10, None)), ('bytes=500-99999999', slice(500, None)),
    ('bytes=-99999999', slice(None))])
def test_range(cluster, query, size, spec, expected):
    value = value_of(size)
    cluster.put(f'range/{size}', value).expect(201, 204)
    answer = cluster.get(f'range/{size}', query, range=spec).expect(206)

    first = expected.indices(size)[0]
    assert answer.body == value[expected]
    assert answer['Content-Range'] == f'bytes {first}-{first + len(answer.body) - 1}/{size}'


@pytest.mark.parametrize('query', ['', '?proxy=1'])
def test_range_outside_or_not_understood(cluster, query):
    value = b'0123456789'
    etag = cluster.put('range', value).expect(201, 204)['ETag']

    outside = cluster.get('range', query, range='bytes=10-').expect(416)
    assert outside['Content-Range'] == 'bytes */10'
    for spec in 'bytes=0-1,5-6', 'bytes=9-0', 'lines=1-2', 'bytes=x-':
        assert cluster.get('range', query, range=spec).expect(200).body == value

    part = cluster.get('range', query, range='bytes=0-1', if_range=etag).expect(206)
    whole = cluster.get('range', query, range='bytes=0-1', if_range='"other"').expect(200)
    assert (part.body, whole.body) == (value[:2], value)


@pytest.mark.sanitize
def test_conditional_put(cluster):
    cluster.put('if', b'0', if_match='*').expect(412)
    cluster.put('if', b'0', if_match='"x"').expect(412)
    one = cluster.put('if', b'1', if_none_match='*').expect(201)['ETag']
    cluster.put('if', b'2', if_none_match='*').expect(412)
    cluster.put('if', b'2', if_none_match=one).expect(412)
    cluster.put('if', b'2', if_match='"x3-00000000000000000000000000000000"').expect(412)
    assert cluster.get('if').body == b'1'

    two = cluster.put('if', b'2', if_match=f'"x", {one}').expect(204)['ETag']
    cluster.put('if', b'3', if_match=one).expect(412)
    cluster.put('if', b'3', if_match='*').expect(204)
    cluster.put('if', b'4', if_none_match=two).expect(204)
    assert cluster.get('if').body == b'4'


def test_conditional_put_that_waits(cluster):
    """The condition holds when the write is committed, not when the ticket is given."""
    one = cluster.put('if-late', b'1').expect(201)['ETag']
    url = cluster.write_redirect('if-late', f'If-Match: {one}')
    cluster.put('if-late', b'2').expect(204)
    cluster.request('PUT', url, b'3', {'If-Match': one}).expect(412)
    assert cluster.get('if-late').body == b'2'


def test_conditional_post(cluster):
    cluster.post('if-post', b'1', if_match='*').expect(412)
    cluster.post('if-post', b'1', if_none_match='*').expect(201)
    cluster.post('if-post', b'2', if_none_match='*').expect(409, 412)
    assert cluster.get('if-post').body == b'1'


@pytest.mark.sanitize
def test_conditional_delete(cluster):
    etag = cluster.put('if-delete', b'1').expect(201)['ETag']
    cluster.delete('if-delete', if_match='"other"').expect(412)
    cluster.delete('if-delete', if_none_match='*').expect(412)
    cluster.get('if-delete').expect(200)
    cluster.delete('if-delete', if_match=etag).expect(204)


@pytest.mark.sanitize
@pytest.mark.parametrize('query', ['', '?proxy=1'])
def test_conditional_get(cluster, query):
    etag = cluster.put('if-get', b'value').expect(201, 204)['ETag']

    unchanged = cluster.get('if-get', query, if_none_match=etag).expect(304)
    assert unchanged.body == b'' and unchanged['ETag'] == etag
    cluster.get('if-get', query, if_none_match=f'W/{etag}').expect(304)
    cluster.get('if-get', query, if_none_match='*').expect(304)
    assert cluster.get('if-get', query, if_none_match='"other"').expect(200).body == b'value'
    cluster.get('if-get', query, if_match='"other"').expect(412)
    assert cluster.get('if-get', query, if_match=etag).expect(200).body == b'value'


def test_conditional_head(cluster):
    etag = cluster.put('if-head', b'value').expect(201)['ETag']
    cluster.head('if-head', if_none_match=etag).expect(304)
    cluster.head('if-head', if_match='"other"').expect(412)
    cluster.head('if-head', if_match=etag).expect(200)


def test_malformed_condition(cluster):
    cluster.put('if-bad', b'1', if_match='no quotes').expect(400)
    cluster.get('if-bad').expect(404)


@pytest.mark.sanitize
def test_proxy_relays(cluster):
    for size in SIZES:
        cluster.put(f'proxy/{size}', value_of(size)).expect(201)
        answer = cluster.request('GET', f'/proxy/{size}?proxy=1').expect(200)
        assert answer.body == value_of(size)
        assert int(answer['Content-Length']) == size


def test_proxy_setting_relays_always(new_cluster):
    cluster = new_cluster(volumes=2, master={'Proxy': 'yes'})
    cluster.put('k', b'value').expect(201)
    assert cluster.request('GET', '/k').expect(200).body == b'value'
    waits = 'Content-Length: 3', 'Expect: 100-continue'
    with cluster.raw().head('PUT', '/k', *waits) as raw:
        assert raw.status_line() == 'HTTP/1.1 100 Continue'
        raw.send('new').answer().expect(204)
    assert cluster.request('GET', '/k').expect(200).body == b'new'


@pytest.mark.sanitize
def test_copies_are_on_distinct_volumes_and_all_whole(new_cluster):
    cluster = new_cluster(volumes=3, copies=2)
    for size in SIZES:
        cluster.put(f'{size}', value_of(size)).expect(201)
        copies = cluster.where(f'{size}')['copies']
        assert len({copy['volume'] for copy in copies}) == 2

    for victim in 1, 2:  # whichever volume is missing, another one has it
        cluster[victim].stop()
        cluster.wait_healthy()
        for size in SIZES:
            assert cluster.get(f'{size}').expect(200).body == value_of(size)
        cluster.start(victim)
        cluster.wait_healthy()


def test_where_agrees_with_head(cluster):
    cluster.put('place', b'12345', content_type='a/b').expect(201)
    where, head = cluster.where('place'), cluster.head('place')
    assert where['size'] == 5 and where['content_type'] == 'a/b'
    assert str(where['version']) == head['Dkv-Version'] and where['etag'] == head['ETag']
    assert [copy['up'] for copy in where['copies']] == [True]
    assert cluster.volume_of(cluster.redirect('place')) == where['copies'][0]['volume']
    cluster.request('GET', '/-/where/nowhere').expect(404)


def test_health_counts(new_cluster):
    cluster = new_cluster(volumes=1, master={'GraceSec': '1s', 'TicketSec': '1s'})
    for key in 'abc':
        cluster.put(key, b'12345').expect(201)
    cluster.put('a', b'123').expect(204)
    cluster.delete('b').expect(204)

    health = cluster.health()
    assert (health['status'], health['keys'], health['bytes']) == ('ok', 2, 8)
    cluster.wait_clean()
    assert cluster.health(1)['objects'] == 2


def test_connection_is_kept_through_everything(cluster):
    """One connection carries successes and failures alike."""
    with cluster.raw() as raw:
        for _ in range(3):
            raw.head('PUT', '/same', 'Content-Length: 2').send('ok').answer().expect(201, 204)
            raw.head('HEAD', '/same').answer('HEAD').expect(200)
            raw.head('GET', '/missing').answer().expect(404)
            raw.head('GET', '/same').answer().expect(307)


@pytest.mark.sanitize
def test_data_survives_a_clean_restart(new_cluster):
    cluster = new_cluster(volumes=2)
    for size in SIZES:
        cluster.put(f'{size}', value_of(size)).expect(201)
    for who in 'master', 1, 2:
        cluster.restart(who)
    for size in SIZES:
        assert cluster.get(f'{size}').expect(200).body == value_of(size)
    assert cluster.put('0', b'').expect(204)
