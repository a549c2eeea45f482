"""What schemathesis has to know besides the API's document; loaded into its own process.

Every exception here is a rule of the contract that JSON Schema cannot say.
"""

import json
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

# Of every time there is a handful will do; the years are those of the contract.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)).map(
        lambda moment: moment.isoformat().replace("+00:00", "Z")
    ),
)

# How a refusal of one parameter ends that follows from another one, or from a value's meaning.
BEYOND_SCHEMA = (
    "lies before `from`",
    "lies before `active_from`",
    "needed together with `active_from`",
    "needed together with `active_to`",
    "not a cursor of this list; take it unchanged from next_cursor",
    "outside the years 1970 to 2199",
    "day is out of range for month",
    "cannot be read as a version, such as 0.18.0 or v1.2.3-rc.1",
    # Programs may write a very small number with an exponent.
    "wait_s: seconds from 0 to 30",
    "a duration from 1m to 31d, such as 30m, 8h or 2d",
    # The end of a key.
    "Must lie in the future.",
)
# Of an event: what only shows when its fields are seen together, and whose key it is.
EVENT_CODES_BEYOND_SCHEMA = {"ends_before_start", "looks_like_secret", "wrong_organization"}
EVENT_DETAILS_BEYOND_SCHEMA = (
    "outside the years 1970 to 2199",
    "day is out of range for month",
    "running, but finished_at is stated",
    # JSON Schema takes 1.0 for an integer.
    "Input should be a valid integer",
)


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: Any, response: Any
) -> bool:
    """False: not a failure after all."""
    match failure.title:
        case "Schema-valid request rejected":
            return not _is_beyond_schema(json.loads(response.content))
        case "Schema-violating request accepted":
            return not (
                "lenient" in str(case.headers.get("Prefer")) or _is_partly_refused(response)
            )
        case _:
            return True


def _is_beyond_schema(problem: dict[str, Any]) -> bool:
    match problem["type"].rpartition(":")[2]:
        case "sql_refused" | "looks_like_secret" | "unknown_principal":
            return True
        case "all_events_refused":
            return any(map(_is_event_beyond_schema, problem["rejected"]))
        case _:
            detail: str = problem["detail"]
            return detail.endswith(BEYOND_SCHEMA)


def _is_partly_refused(response: Any) -> bool:
    """Of several events one was good: the others are refused one by one."""
    return response.status_code == 202 and bool(json.loads(response.content)["rejected"])


def _is_event_beyond_schema(rejection: dict[str, Any]) -> bool:
    detail: str = rejection["detail"]
    return (
        rejection["code"] in EVENT_CODES_BEYOND_SCHEMA
        or detail.endswith(EVENT_DETAILS_BEYOND_SCHEMA)
        or (rejection["code"], rejection.get("field")) == ("missing_field", "finished_at")
    )
