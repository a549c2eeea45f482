"""Envelopes to put on a log."""

from schemas.envelope import Envelope, Event, Sender


def envelope(workspace: str = "prod", *, events: int = 1, note: str = "patch day") -> Envelope:
    """So many runs of one workspace, told apart by their ids; `note` stands in each."""
    return Envelope(
        sender=Sender(organization="acme", actor="alice", actor_kind="person", key_id="key-1"),
        workspace=workspace,
        received_at=1_774_347_123_456_789,
        events=[
            Event(
                "action_run",
                {
                    "id": f"00000000-0000-4000-8000-{number:012x}",
                    "block": "nginx",
                    "action": "deploy",
                    "started_at": 1_774_347_123_000_000 + number,
                    "reason": note,
                },
            )
            for number in range(1, events + 1)
        ],
    )
