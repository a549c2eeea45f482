"""A block reference such as `cargo.ayedo.cloud/ayedo/infra/nginx:0.3.1`, taken apart."""

from typing import Final, NamedTuple

FLOATING_TAG: Final = "latest"


class BlockReference(NamedTuple):
    """`name` keeps registry and path. `version` is None when nothing states one."""

    name: str
    version: str | None
    is_floating: bool


def parse_block_reference(reference: str, stated_version: str | None = None) -> BlockReference:
    """Split at the last `:` after the last `/`, a trailing `@digest` cut first. Never raises.

    The version is the tag, else the digest, else `stated_version` (the event's `block_version`).
    `latest` (any case) with a digest is the digest. Floating: `latest` without a digest, or no
    version at all. Source: the contract, section 2.
    """
    located, at, digest = reference.rpartition("@")
    if not at:
        located, digest = reference, ""
    slash = located.rfind("/")
    colon = located.rfind(":", slash + 1)
    name, tag = (located, "") if colon < 0 else (located[:colon], located[colon + 1 :])
    if tag.lower() == FLOATING_TAG:
        if digest:
            return BlockReference(name, digest, False)
        return BlockReference(name, tag, True)
    version = tag or digest or stated_version
    if version is None:
        return BlockReference(name, None, True)
    return BlockReference(name, version, version.lower() == FLOATING_TAG)
