"""docs/settings.md says of every setting what the code says."""

from pathlib import Path
from typing import Any, Final, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.settings import PREFIX, Settings, load_settings
from tests.docs.tables import DOCS, code, table_rows

_SIGNS: Final = (
    (Ge, "ge", "at least"),
    (Gt, "gt", "above"),
    (Le, "le", "at most"),
    (Lt, "lt", "below"),
)


def _default(value: Any) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return f"`{text}`" if text else "empty"


def _allowed(field: FieldInfo) -> str:
    """The bounds as the code checks them; a dash for any text, or where a check of its own is."""
    if choices := get_args(field.annotation):
        return ", ".join(f"`{choice}`" for choice in choices)
    bounds = [
        f"{words} {getattr(bound, attribute)}"
        for sign, attribute, words in _SIGNS
        for bound in field.metadata
        if isinstance(bound, sign)
    ]
    patterns = [f"`{bound.pattern}`" for bound in field.metadata if hasattr(bound, "pattern")]
    return ", ".join(bounds + patterns) or "-"


def _expected() -> dict[str, list[str]]:
    return {
        PREFIX + name.upper(): [_default(field.default), _allowed(field), field.description or ""]
        for name, field in Settings.model_fields.items()
    }


def test_the_table_lists_every_setting_as_it_is_and_no_other() -> None:
    rows = table_rows(DOCS / "settings.md", "Variable")
    table = {code(row[0]): row[1:] for row in rows}

    assert table == _expected()
    assert len(rows) == len(table)


def test_the_table_is_in_the_order_of_the_code() -> None:
    rows = table_rows(DOCS / "settings.md", "Variable")

    assert [code(row[0]) for row in rows] == list(_expected())


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_example_file_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _expected():
        monkeypatch.delenv(variable, raising=False)
    text = (DOCS / "settings.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    config = tmp_path / "opstrail.toml"
    config.write_text(example)

    assert load_settings(config).kafka_bootstrap
