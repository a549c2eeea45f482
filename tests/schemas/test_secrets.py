"""What looks like a secret, and the cheap look at a whole body that never misses one."""

import json
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.secrets import looks_like_secret, may_hold_secret

# Put together here so that no scanner of this repository takes them for real ones.
SECRETS = [
    "-----BEGIN " + "PRIVATE KEY-----",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "-----BEGIN EC " + "PRIVATE KEY-----",
    "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
    "AGE-SECRET-" + "KEY-1QQPQYP",
    "ghp" + "_0123456789abcdef",
    "gho" + "_0123456789abcdef",
    "ghu" + "_0123456789abcdef",
    "ghs" + "_0123456789abcdef",
    "ghr" + "_0123456789abcdef",
    "github" + "_pat_11ABCDEFG",
    "glpat" + "-xY-_z0123456789",
    "xoxb" + "-123456789012-abc",
    "xoxp" + "-123456789012-abc",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ASIA" + "IOSFODNN7EXAMPLE",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "eyJ" + "hbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "opstrail" + "_0123456789abcdefghijKLMN",
]
HARMLESS = [
    "",
    "alice",
    "server01.acme-corp.com",
    "cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1",
    "-----BEGIN CERTIFICATE-----",
    "age1qqpqyp",
    "the ghp_ prefix",
    "xox-love",
    "AKIA is a prefix",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
    "eyJ..x",
    "a.b.c",
    "opstrail_url",
    "rotate the private key",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("frame", ["{}", "token={}&x=1", "x{}", "key: {}\n", "\N{KEY} {}"])
def test_a_known_format_is_found_wherever_it_stands(secret: str, frame: str) -> None:
    assert looks_like_secret(frame.format(secret))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_secret_may_be_told(text: str) -> None:
    assert not looks_like_secret(text)


@st.composite
def secretive_texts(draw: st.DrawFn) -> str:
    """A text around something that looks like a secret."""
    secret = draw(st.sampled_from(SECRETS) | st.sampled_from(FORMATS).flatmap(_made_of))
    return draw(st.text(max_size=8)) + secret + draw(st.text(max_size=8))


FORMATS = [
    "-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
    "AGE-SECRET-KEY-",
    "gh[pousr]_[A-Za-z0-9]{4}",
    "github_pat_[A-Za-z0-9]",
    "glpat-[A-Za-z0-9_-]{4}",
    "xox[a-z]-[A-Za-z0-9]",
    "(AKIA|ASIA)[A-Z0-9]{12}",
    r"eyJ[A-Za-z0-9_-]{0,9}\.[A-Za-z0-9_-]{1,9}\.[A-Za-z0-9_-]{0,9}",
    "opstrail_[A-Za-z0-9]{20}",
]


def _made_of(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


@st.composite
def json_spellings_of(draw: st.DrawFn, text: str) -> str:
    """One of the many ways in which JSON writes a string."""
    escaped = draw(st.sets(st.integers(0, max(len(text) - 1, 0))))
    is_ascii = draw(st.booleans())
    spelled = []
    for place, character in enumerate(text):
        if place in escaped and ord(character) < 0x10000:
            digits = f"{ord(character):04x}"
            spelled.append("\\u" + draw(st.sampled_from((digits, digits.upper()))))
        elif character == "/" and place in escaped:
            spelled.append("\\/")
        else:
            spelled.append(json.dumps(character, ensure_ascii=is_ascii)[1:-1])
    return '"' + "".join(spelled) + '"'


@given(text=secretive_texts(), data=st.data())
def test_the_cheap_look_never_misses_a_secret_however_it_is_escaped(
    text: str, data: st.DataObject
) -> None:
    spelled = data.draw(json_spellings_of(text))
    as_value, as_name = f'{{"a": ["x", {spelled}]}}', f"{{{spelled}: 1}}"

    assert json.loads(spelled) == text
    assert looks_like_secret(text)
    assert may_hold_secret(as_value.encode())
    assert may_hold_secret(as_name.encode())


@given(text=st.text() | st.text("eyJghp_xob-.AKISoastril0 BEGINPRVTEKY-"), data=st.data())
def test_the_cheap_look_misses_nothing_that_looks_like_a_secret(
    text: str, data: st.DataObject
) -> None:
    if looks_like_secret(text):
        assert may_hold_secret(data.draw(json_spellings_of(text)).encode())


def test_the_cheap_look_passes_what_most_bodies_are() -> None:
    assert not may_hold_secret(json.dumps({"block": "nginx", "user": "alice"}).encode())


PLAIN_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


@given(text=st.text("eyJa._ /", max_size=30))
@example(text="eyJa.eyJb.")
@example(text="xeyJ.eyJ.eyJ")
def test_a_token_is_found_exactly_where_the_plain_pattern_finds_one(text: str) -> None:
    assert looks_like_secret(text) == (PLAIN_TOKEN.search(text) is not None)


@pytest.mark.parametrize("piece", ["eyJ", "eyJa.", "-----BEGIN ", "xox", "ghp_", "AKIA", "."])
def test_the_search_takes_time_in_proportion_to_the_text(piece: str) -> None:
    """By the plain pattern a text like this takes nine seconds."""
    long = " ".join([piece * (160_000 // len(piece)), "eyJa"]).replace("eyJa.eyJ", "eyJa. eyJ")
    started_s = time.thread_time()

    looks_like_secret(long)

    assert time.thread_time() - started_s < 2
