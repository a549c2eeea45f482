"""Where the name of a block reference ends and its version begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.block_reference import BlockReference, parse_block_reference

DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NGINX = "cargo.ayedo.cloud/ayedo/infra/nginx"


@pytest.mark.parametrize(
    ("reference", "name", "version"),
    [
        (f"{NGINX}:0.3.1", NGINX, "0.3.1"),
        ("nginx:0.3.1", "nginx", "0.3.1"),
        ("localhost:5000/nginx:0.3.1", "localhost:5000/nginx", "0.3.1"),
        ("a:1/b:2/c:3", "a:1/b:2/c", "3"),
        ("a/b:1:2", "a/b:1", "2"),
        (f"{NGINX}:0.3.1@{DIGEST}", NGINX, "0.3.1"),
        (f"{NGINX}@{DIGEST}", NGINX, DIGEST),
        (f"{NGINX}:@{DIGEST}", NGINX, DIGEST),
        (f"localhost:5000/nginx@{DIGEST}", "localhost:5000/nginx", DIGEST),
        (f"{NGINX}:latest@{DIGEST}", NGINX, DIGEST),
        (f"{NGINX}:LaTeST@{DIGEST}", NGINX, DIGEST),
        (f"{NGINX}:latest-2", NGINX, "latest-2"),
    ],
)
def test_the_version_is_the_tag_else_the_digest(reference: str, name: str, version: str) -> None:
    assert parse_block_reference(reference) == BlockReference(name, version, False)


@pytest.mark.parametrize("reference", ["nginx", "nginx:", "localhost:5000/nginx", "nginx@", "a/b:"])
def test_without_tag_and_digest_it_is_the_stated_version(reference: str) -> None:
    assert parse_block_reference(reference, "1.4.0")[1:] == ("1.4.0", False)


@pytest.mark.parametrize(
    ("reference", "stated", "version"),
    [
        (f"{NGINX}:0.3.1", "1.4.0", "0.3.1"),
        (f"{NGINX}@{DIGEST}", "1.4.0", DIGEST),
    ],
)
def test_a_version_in_the_reference_beats_the_stated_one(
    reference: str, stated: str, version: str
) -> None:
    assert parse_block_reference(reference, stated).version == version


@pytest.mark.parametrize(
    ("reference", "stated", "version"),
    [
        (f"{NGINX}:latest", None, "latest"),
        (f"{NGINX}:LATEST", None, "LATEST"),
        (f"{NGINX}:latest", "1.4.0", "latest"),
        (f"{NGINX}:latest@", None, "latest"),
        (NGINX, None, None),
        ("nginx:", None, None),
        ("nginx@", None, None),
        ("nginx", "Latest", "Latest"),
    ],
)
def test_latest_without_a_digest_or_no_version_at_all_is_floating(
    reference: str, stated: str | None, version: str | None
) -> None:
    parsed = parse_block_reference(reference, stated)

    assert parsed.is_floating
    assert parsed.version == version


@given(reference=st.text(max_size=60), stated=st.none() | st.text(min_size=1, max_size=9))
def test_any_text_is_taken_apart_and_floats_when_it_has_no_version(
    reference: str, stated: str | None
) -> None:
    parsed = parse_block_reference(reference, stated)

    assert reference.startswith(parsed.name)
    assert parsed.version is not None or parsed.is_floating
