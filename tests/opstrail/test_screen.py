import pytest

from opstrail.screen import harmless, open_console, shown


@pytest.mark.parametrize("text", ["", "nginx 0.3.1", "Zoë → 北京", "a\u00a0b", "[red]", ":bomb:"])
def test_what_cannot_act_on_a_terminal_is_shown_as_it_is(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_would_act_on_a_terminal_is_shown_as_its_code(text: str, code: str) -> None:
    assert harmless(text) == code


def test_nothing_is_shown_for_what_is_not_known() -> None:
    assert shown(None).plain == ""


def test_no_color_takes_the_colours_off_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    open_console().print(shown("failed", "red"))
    assert "\x1b[31m" in capsys.readouterr().out

    monkeypatch.setenv("NO_COLOR", "1")
    open_console().print(shown("failed", "red"))
    assert capsys.readouterr().out == "failed\n"
