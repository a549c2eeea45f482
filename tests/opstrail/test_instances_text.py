from opstrail.instances_text import print_instances
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP, instance

ID_LONGEST = "cli-" + "0123456789abcdef" * 2


def test_an_instance_is_a_row_with_whom_it_was_seen() -> None:
    assert printed(print_instances, [instance()]) == (
        "CLI instance  version  system       last seen (UTC)\n"
        "cli-8f3891b2  0.8.4    linux amd64  2026-03-24 10:27\n"
        "              on alice-laptop; with alice; first seen 2026-03-22 09:00\n"
    )


def test_earlier_versions_are_named() -> None:
    seen = {"first_seen": "2026-03-22T09:00:00Z", "last_seen": "2026-03-22T09:00:00Z"}
    versions = [{"version": version, **seen} for version in ("0.8.2", "0.8.3", "0.8.4")]

    text = printed(print_instances, [instance(versions=versions)])

    assert squeezed("earlier versions 0.8.2, 0.8.3") in squeezed(text)


def test_an_instance_of_which_little_is_known_is_shown() -> None:
    little = instance(cli_version=None, os=None, arch=None, hostname=None, actors=[], versions=[])

    assert "not known" in printed(print_instances, [little])


def test_no_instances_are_said_to_be_none() -> None:
    assert printed(print_instances, []) == "no CLI instances\n"


def test_ids_stay_whole_whatever_stands_beside_them() -> None:
    names = {"hostname": MARKUP, "cli_version": LONG, "os": LONG, "actors": [LONG, MARKUP]}

    text = printed(print_instances, [instance(id=ID_LONGEST, **names)])

    assert ID_LONGEST in text
