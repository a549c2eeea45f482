from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from timeline.version_order import VersionKey, version_key


def key(text: str) -> VersionKey:
    found = version_key(text)
    assert found is not None, text
    return found


ASCENDING = [
    ["0.9", "0.9.1", "0.10-rc1", "0.10", "0.10.1", "0.18.0", "0.18.3", "1", "1.0.1", "2", "10"],
    # The example of Semantic Versioning 2.0.0, rule 11.
    [
        *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"),
    ],
    ["1.0.0-rc1", "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.0.post1", "1.0.0.post2", "1.0.1-dev"],
    ["1.0a1", "1.0b1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.1.dev3", "1.1"],
    ["1.2.3-rc1", "1.2.3", "1.2.3-4-gabc1234", "1.2.3-12-g0123456-dirty", "1.2.4-next"],
    ["1.0-1", "1.0-SNAPSHOT", "1.0", "1.0-r1"],
    ["1.2.3.4", "1.2.3.5", "1.2.3.10"],
]


@pytest.mark.parametrize("versions", ASCENDING)
def test_versions_sort_as_people_mean_them(versions: list[str]) -> None:
    for lower, higher in pairwise(versions):
        assert key(lower) < key(higher), (lower, higher)


@pytest.mark.parametrize(
    "same",
    [
        ["0.18.3", "v0.18.3", "V0.18.3", " 0.18.3 ", "0.18.3.0", "00.018.3"],
        ["0.18.3", "polycrate 0.18.3", "polycrate version v0.18.3", "polycrate/0.18.3"],
        ["0.18.3", "0.18.3+build.7", "0.18.3-dirty", "0.18.3 (linux/amd64)"],
        ["1", "1.0", "1.0.0"],
        ["1.0.0-rc1", "1.0.0-rc.1", "1.0.0-RC-1", "1.0rc1", "1.0.0-rc1+exp.sha"],
        ["1.2.3-beta.1+abc", "v1.2.3-beta1"],
        ["0", "0.0", "v0.0.0"],
    ],
)
def test_spellings_of_one_version_are_equal(same: list[str]) -> None:
    assert len({key(text) for text in same}) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "v", "dev", "devel", "(devel)", "unknown", "latest", "main", "8f3891b2"),
        *("1.", ".1", "1..2", "1.0-", "1.0+a b", "1,0", "1.0 beta", "a b c d 1.0", "1.x", "٣.١"),
        *("1.0\n2.0", "1!2.0", "-1.0", "1.0é"),
    ],
)
def test_what_is_no_version_has_no_place_in_the_order(text: str) -> None:
    assert version_key(text) is None


@given(st.text(max_size=256))
def test_any_text_gets_an_answer(text: str) -> None:
    version_key(text)


# Parts of versions, so that most of what comes out is one.
VERSIONS = st.lists(
    st.sampled_from(
        ["0", "1", "10", "2", ".", "-", "rc", "beta", "a", "post", "dev", "+x", "-4-gabcd"]
    ),
    max_size=7,
).map("".join)


@given(st.lists(VERSIONS, max_size=6))
def test_all_versions_can_be_compared(texts: list[str]) -> None:
    sorted(found for text in texts if (found := version_key(text)) is not None)


RELEASES = st.lists(st.integers(0, 30), min_size=1, max_size=4)
SUFFIXES = st.tuples(st.sampled_from(["", "a", "b", "rc", ".post"]), st.integers(0, 12)).map(
    lambda pair: "" if pair[0] == "" else f"{pair[0]}{pair[1]}"
)
COMMON = st.tuples(RELEASES, SUFFIXES).map(lambda pair: ".".join(map(str, pair[0])) + pair[1])


@given(COMMON, COMMON)
def test_python_orders_the_versions_both_know_alike(one: str, other: str) -> None:
    assert (key(one) < key(other)) is (Version(one) < Version(other))
    assert (key(one) == key(other)) is (Version(one) == Version(other))


def test_the_longest_texts_are_read_at_once() -> None:
    for text in ("1" * 256, "1." * 128, "1-" + "a-" * 127, "a " * 128, "1.0-" + "1" * 252):
        version_key(text)
