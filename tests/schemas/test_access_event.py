from hypothesis import given
from hypothesis import strategies as st

from schemas.access_event import (
    AccessAction,
    AccessEvent,
    decode_access_event,
    encode_access_event,
    new_access_id,
)

TEXT = st.text(max_size=50)
COUNTS = st.integers(min_value=0, max_value=2**62)


@given(
    st.builds(
        AccessEvent,
        id=st.uuids().map(str),
        revision=st.integers(min_value=0, max_value=255),
        at=COUNTS,
        action=st.sampled_from(AccessAction),
        status=st.none() | st.integers(min_value=100, max_value=599),
        rows=st.none() | COUNTS,
        count=COUNTS,
        **dict.fromkeys(
            ("organization", "actor", "actor_kind", "key_id", "operation", "target"), TEXT
        ),
        **dict.fromkeys(("request_id", "client"), TEXT),
    )
)
def test_any_access_comes_out_as_it_went_in(event: AccessEvent) -> None:
    assert decode_access_event(encode_access_event(event)) == event


def test_no_two_accesses_have_one_id() -> None:
    assert new_access_id() != new_access_id()
