# SPDX-License-Identifier: LGPL-2.1-or-later
"""GET / lists keys in the order of their bytes, page by page."""

import datetime
import urllib.parse

import pytest

from cluster import path_of

# In order. What may stand between keys and in front of others has to be right in each place.
KEYS = [b'\x01', b' ', b'%', b'a', b'a!', b'a/', b'a/b', b'a/b/c', b'a0', b'ab', b'b', b'z/\xff',
        b'\xc3\xbc', b'\xff\xff']


@pytest.fixture(scope='module')
def filled(cluster):
    assert KEYS == sorted(set(KEYS))
    for key in reversed(KEYS):
        cluster.put(key, key).expect(201)
    return cluster


def names(page):
    return [urllib.parse.unquote_to_bytes(entry['key']) for entry in page['keys']]


@pytest.mark.sanitize
def test_empty_cluster_lists_nothing(new_cluster):
    page = new_cluster(volumes=1).list()
    assert page['keys'] == [] and 'after' not in page


@pytest.mark.sanitize
def test_all_in_order(filled):
    page = filled.list()
    assert names(page) == KEYS and 'after' not in page


@pytest.mark.sanitize
@pytest.mark.parametrize('limit', [1, 2, 5, len(KEYS) - 1, len(KEYS), len(KEYS) + 1])
def test_pages_join_to_the_whole(filled, limit):
    found, after = [], ''
    while after is not None:
        page = filled.request('GET', f'/?limit={limit}&after={after}').expect(200).json
        assert len(page['keys']) <= limit
        found += names(page)
        after = page.get('after')
    assert found == KEYS


@pytest.mark.parametrize('prefix', [b'a', b'a/', b'a/b', b'z/', b'\xff', b'nothing'])
def test_prefix(filled, prefix):
    quoted = urllib.parse.quote_from_bytes(prefix, safe='')
    page = filled.request('GET', f'/?prefix={quoted}').expect(200).json
    assert names(page) == [key for key in KEYS if key.startswith(prefix)]


def test_prefix_pages(filled):
    expected = [key for key in KEYS if key.startswith(b'a')]
    first = filled.list(prefix='a', limit=2)
    rest = filled.request('GET', f'/?prefix=a&after={first["after"]}').expect(200).json
    assert names(first) == expected[:2] and names(rest) == expected[2:]


def test_after_need_not_exist(filled):
    assert names(filled.list(after='a/a')) == [key for key in KEYS if key > b'a/a']
    assert names(filled.list(prefix='b', after='a')) == [b'b']
    assert names(filled.list(prefix='a', after='b')) == []


def test_entries_say_what_head_says(filled):
    for entry in filled.list()['keys']:
        key = urllib.parse.unquote_to_bytes(entry['key'])
        assert path_of(key)[1:] == entry['key']
        assert entry['size'] == len(key)
        assert entry['etag'] == filled.head(key)['ETag']
        assert datetime.datetime.strptime(entry['mtime'], '%Y-%m-%dT%H:%M:%SZ')


@pytest.mark.sanitize
def test_changes_show_at_once(new_cluster):
    cluster = new_cluster(volumes=1)
    cluster.put('a', b'1').expect(201)
    cluster.put('b', b'1').expect(201)
    cluster.put('a', b'22').expect(204)
    cluster.delete('b').expect(204)
    entry, = cluster.list()['keys']
    assert (entry['key'], entry['size']) == ('a', 2)


@pytest.mark.parametrize('query', [
    'limit=0', 'limit=-1', 'limit=x', 'limit=99999999999999999999', 'prefix=%', 'prefix=%00',
    'after=%zz', 'prefix=' + 'x' * 2000])
def test_bad_parameters(filled, query):
    filled.request('GET', f'/?{query}').expect(400, 414)


def test_many_keys(new_cluster):
    cluster = new_cluster(volumes=1)
    cluster.bench('put', '--count=5000', '--keys=5000', '--pattern=sequential', '--size=1')
    found, after = [], ''
    while after is not None:
        page = cluster.list(after=after)
        found += names(page)
        after = page.get('after')
    assert len(found) == 5000 and found == sorted(found)
