"""The body of PUT /v1/workspaces/{name}: its shape. Pure.

What its strings may hold is checked where labels are kept (control/workspaces.py). No refusal
repeats a value.
"""

from typing import Any, Final

from control.workspaces import WorkspaceLabel
from query.json_body import JsonObject
from runtime.errors import RefusedError
from schemas.rejections import RejectionCode, is_harmless_name

_FIELDS: Final = ("environment", "labels", "deploy_actions")


def parse_label(body: JsonObject) -> WorkspaceLabel:
    """What is absent or null was not said. Raises RefusedError naming the field at fault."""
    for name in body:
        if name not in _FIELDS:
            shown = name if is_harmless_name(name) else None
            raise RefusedError(
                f"{shown or 'a field'}: there is no such field; there are {', '.join(_FIELDS)}",
                code=RejectionCode.UNKNOWN_FIELD,
                field=shown,
            )
    return WorkspaceLabel(
        environment=_environment(body.get("environment")),
        labels=_labels(body.get("labels")),
        deploy_actions=_deploy_actions(body.get("deploy_actions")),
    )


def _environment(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _wrong_type("environment", "a string or null")
    return value


def _labels(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong_type("labels", "an object of strings, or null")
    for name, text in value.items():
        if not isinstance(text, str):
            shown = f"labels.{name}" if is_harmless_name(name) else "labels"
            raise _wrong_type(shown, "a string")
    return value


def _deploy_actions(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(action, str) for action in value):
        raise _wrong_type("deploy_actions", "a list of strings, or null")
    return tuple(value)


def _wrong_type(field: str, expected: str) -> RefusedError:
    return RefusedError(f"{field}: must be {expected}", code=RejectionCode.WRONG_TYPE, field=field)
