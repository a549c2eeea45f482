import click
import pytest

from opstrail.kind_name import KindName, short_kind
from schemas.kinds import Kind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_understood_by_its_own_name_and_its_short_one(kind: Kind) -> None:
    for word in (kind.value, short_kind(kind.value), kind.value.replace("_", "-") + "s"):
        assert KindName().convert(word, None, None) is kind
    assert short_kind(kind.value) != kind.value


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("ssh-session", Kind.SSH_SESSION),
        ("SSH", Kind.SSH_SESSION),
        ("session", Kind.SSH_SESSION),
        ("runs", Kind.ACTION_RUN),
        ("workspace-syncs", Kind.WORKSPACE_SYNC),
    ],
)
def test_usual_spellings_are_understood(word: str, kind: Kind) -> None:
    assert KindName().convert(word, None, None) is kind


@pytest.mark.parametrize("word", ["", "cli_instance", "s", "sshh"])
def test_what_is_no_kind_is_refused_with_those_there_are(word: str) -> None:
    with pytest.raises(click.BadParameter, match="run, ssh, sync"):
        KindName().convert(word, None, None)


def test_a_kind_of_a_newer_server_keeps_its_name() -> None:
    assert short_kind("backup") == "backup"
