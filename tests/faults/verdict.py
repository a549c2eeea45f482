"""Compares what was told 202 with what the timeline shows.

Must stay true:
- Lost is what got 202 and is not there, or is there open though its end got 202.
- Doubled is what a reader would see twice; strange is what nobody sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.e2e.test_both_modes_agree import comparable
from tests.faults.ledger import CLOSED, OPEN, UNKNOWN, Ledger, numbers_of, record_id
from tests.faults.story import Story
from tests.faults.system import Found, System
from tests.simulation.oracle import START_FIELDS, Delivery, instant_of, timeline
from tests.support.opstrail import User

_EXAMPLES: Final = 5


@dataclass(slots=True)
class Verdict:
    """Counts, and the first examples of what is wrong."""

    lost: int = 0
    doubled: int = 0
    strange: int = 0
    differing: int = 0  # entries of judged workspaces that are not as the oracle has them
    judged: int = 0
    dead_letters: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (
            self.lost or self.doubled or self.strange or self.differing or self.dead_letters
        )

    def add(self, other: "Verdict") -> None:
        self.lost += other.lost
        self.doubled += other.doubled
        self.strange += other.strange
        self.differing += other.differing
        self.judged += other.judged
        self.dead_letters += other.dead_letters
        self.examples += other.examples

    def note(self, text: str) -> None:
        if len(self.examples) < _EXAMPLES * 4:
            self.examples.append(text)


@dataclass(slots=True)
class Increment:
    """Of one ledger: what was told since all before it was found to be there."""

    ledger: Ledger
    floor: int = 0
    told: bytes = b""

    def take(self) -> None:
        """Remember what is told by now."""
        self.told = bytes(self.ledger.told[self.floor :])

    def judged(self, system: System) -> Verdict:
        """What is not there, or twice; moves the floor to the first that is not told yet."""
        found = system.ids(self.ledger.sender, self.floor, self.floor + len(self.told))
        counts = {numbers_of(prefix)[1]: count for prefix, count in found.items()}
        verdict = Verdict()
        for number, state in enumerate(self.told, self.floor):
            count = counts.get(number, 0)
            if state != UNKNOWN and count == 0:
                verdict.lost += 1
                verdict.note(f"{record_id(self.ledger.sender, number)} is not there")
            if count > 1:
                verdict.doubled += count - 1
                verdict.note(f"{record_id(self.ledger.sender, number)} is there {count} times")
        first_untold = self.told.find(UNKNOWN)
        self.floor += len(self.told) if first_untold < 0 else first_untold
        return verdict


def of_everything(system: System, ledgers: Sequence[Ledger]) -> Verdict:
    """All records, by each way of reading them."""
    verdict = Verdict()
    by_sender = {ledger.sender: ledger for ledger in ledgers}
    numbers = max(ledger.attempted for ledger in ledgers)
    for name, rows in system.everything(list(by_sender), numbers):
        verdict.add(_of_rows(name, rows, by_sender))
    return verdict


def _of_rows(name: str, rows: Sequence[Found], ledgers: Mapping[int, Ledger]) -> Verdict:
    verdict = Verdict()
    # Per record: UNKNOWN, or OPEN and CLOSED as it reads.
    seen = {sender: bytearray(ledger.attempted) for sender, ledger in ledgers.items()}
    for row in rows:
        sender, number = numbers_of(row.prefix)
        if sender not in seen or number >= len(seen[sender]):
            verdict.strange += 1
            verdict.note(f"{name}: {row.prefix} was sent by nobody")
            continue
        if seen[sender][number] != UNKNOWN:
            verdict.doubled += 1
            verdict.note(f"{name}: {record_id(sender, number)} is there twice")
        seen[sender][number] = OPEN if row.is_open else CLOSED
    for sender, ledger in ledgers.items():
        for number, (told, reads) in enumerate(zip(ledger.told, seen[sender], strict=True)):
            if told > reads:
                verdict.lost += 1
                how = "is missing" if reads == UNKNOWN else "is open"
                verdict.note(f"{name}: {record_id(sender, number)} {how}")
    return verdict


def of_judged(
    system: System, stories: Sequence[Story], actors: Sequence[tuple[str, str]]
) -> Verdict:
    """The judged workspaces' entries, read page by page, with all their links, by the oracle.

    `actors` are name and kind of each story's sender.
    """
    deliveries = [
        _delivery(text, actor, kind)
        for story, (actor, kind) in zip(stories, actors, strict=True)
        for text in story.judged
    ]
    names = sorted({name for story in stories for name in story.judged_names})
    wanted = comparable(list(timeline(deliveries).entries.values()))
    user = User(system)
    read = [entry for name in names for entry in user.timeline(workspace=name)]
    user.close()
    verdict = Verdict(judged=len(wanted))
    if len(read) != len(comparable(read)):
        verdict.doubled += len(read) - len(comparable(read))
        verdict.note("a judged workspace shows an entry twice")
    found = comparable(read)
    for key in wanted.keys() | found.keys():
        if wanted.get(key) != found.get(key):
            verdict.differing += 1
            verdict.note(f"{'/'.join(key)}: {_difference(wanted.get(key), found.get(key))}")
    return verdict


def of_the_rest(system: System, ledgers: Sequence[Ledger]) -> Verdict:
    """The register holds every CLI instance, and nothing became a dead letter."""
    verdict = Verdict()
    user = User(system)
    known = {each["id"] for each in user.get("/v1/cli-instances", limit="1000")["items"]}
    for instance in sorted(set().union(*(ledger.instances for ledger in ledgers)) - known):
        verdict.lost += 1
        verdict.note(f"CLI instance {instance} is missing")
    letters = user.get("/v1/dead-letters", limit="100")["items"]
    user.close()
    verdict.dead_letters = len(letters)
    for letter in letters[:_EXAMPLES]:
        verdict.note(f"dead letter: {str(letter)[:300]}")
    return verdict


def _delivery(text: str, actor: str, kind: str) -> Delivery:
    event: dict[str, Any] = json.loads(text)
    return Delivery(
        event=event,
        actor=actor,
        actor_kind=kind,
        # Not compared, nor what follows from it.
        received_at=instant_of(event[START_FIELDS[event["type"]]]),
    )


def _difference(wanted: dict[str, Any] | None, found: dict[str, Any] | None) -> str:
    if wanted is None or found is None:
        return "is there and should not" if wanted is None else "is missing"
    names = [name for name in wanted if wanted[name] != found.get(name)]
    first = names[0] if names else "a further field"
    if first == "links":
        short = [
            sorted((each["rule"], each["target"]["id"][:8]) for each in side["links"])
            for side in (wanted, found)
        ]
        only = [[each for each in one if each not in other] for one, other in (short, short[::-1])]
        return f"links: only by the oracle {only[0][:5]}, only on the timeline {only[1][:5]}"
    oracle, found_ = (str(side.get(first))[:200] for side in (wanted, found))
    return f"{names}: oracle {oracle}, timeline {found_}"
