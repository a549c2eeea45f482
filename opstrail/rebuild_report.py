"""What a rebuild did and found, for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from timeline.rebuild_check import GenerationCheck

_DIFFERENCES_MAX: Final = 20
_SENTENCES: Final = {
    "without_entry": "records were received and have no entry",
    "without_snapshot": "entries stand for what was never received",
    "double": "records stand on the timeline more than once",
    "only_before": "records are on the living timeline only",
    "events_missing": "received events are kept by the living generation only",
}


@dataclass(slots=True, kw_only=True)
class RebuildReport:
    """Messages are those of the log; `missing`: offsets of which nothing is left anywhere."""

    generation: int
    before: int
    messages: int = 0
    from_snapshots: int = 0
    missing: int = 0
    unequal_partitions: list[int] = field(default_factory=list)
    check: GenerationCheck | None = None
    is_stopped: bool = False
    is_living: bool = False

    def json(self) -> dict[str, Any]:
        check = None if self.check is None else asdict(self.check)
        differences = [] if self.check is None else [d._asdict() for d in self.check.differences]
        if check is not None:
            del check["differences"]
        return {
            "generation": self.generation,
            "before": self.before,
            "messages": self.messages,
            "from_snapshots": self.from_snapshots,
            "missing": self.missing,
            "unequal_partitions": self.unequal_partitions,
            "check": check,
            "differences": differences,
            "stopped": self.is_stopped,
            "living": self.is_living,
        }

    def losses(self) -> list[str]:
        """What the rebuilt one lacks, or has as the living one has it: somebody may accept that."""
        lines = []
        if self.missing:
            lines.append(f"{self.missing:,} messages are neither in the log nor kept")
        if self.check is not None:
            lines += _found(self.check, ("only_before", "events_missing", "double"))
        return lines

    def faults(self) -> list[str]:
        """What contradicts itself in the rebuilt one."""
        lines = [
            f"partition {each}: what is stored is not what was received"
            for each in self.unequal_partitions
        ]
        if self.check is not None:
            lines += _found(self.check, ("without_entry", "without_snapshot"))
        return lines

    def difference_lines(self) -> Iterator[str]:
        """In which workspaces and kinds the two generations differ in their records."""
        if self.check is None:
            return
        for each in self.check.differences[:_DIFFERENCES_MAX]:
            yield (
                f"{each.organization}/{each.workspace} {each.kind}: {each.before:,} before,"
                f" {each.after:,} now ({each.only_before:,} gone, {each.only_after:,} new)"
            )
        if (more := len(self.check.differences) - _DIFFERENCES_MAX) > 0:
            yield f"and {more:,} more; --json has all"


def _found(check: GenerationCheck, names: tuple[str, ...]) -> list[str]:
    return [
        f"{count:,} {_SENTENCES[name]}" for name in names if (count := getattr(check, name)) > 0
    ]
