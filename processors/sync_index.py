"""The successful syncs with a commit, found by "the latest at or before". Pure."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from sortedcontainers import SortedList

from processors.past import SyncsOf
from processors.record import Record
from schemas.kinds import Status

_Item: TypeAlias = tuple[int, str, Record]

# A commit is stated with at least seven digits, so equal commits share these.
COMMIT_PREFIX_DIGITS: Final = 7


def is_usable(sync: Record) -> bool:
    """Whether a sync can configure anything: it succeeded and says which commit it brought."""
    return sync.status is Status.SUCCESSFUL and bool(after_sha(sync))


def after_sha(sync: Record) -> str:
    """The commit a sync brought; empty when it does not say."""
    sha: str = sync.fields.get("git", {}).get("after_sha", "")
    return sha


def names_of(sync: Record) -> dict[SyncsOf, str]:
    """The CLI instance, when it says so, and the first digits of the commit of a usable sync."""
    names = {SyncsOf.COMMIT: after_sha(sync)[:COMMIT_PREFIX_DIGITS]}
    if (instance_id := sync.fields.get("cli_instance_id")) is not None:
        names[SyncsOf.INSTANCE] = instance_id
    return names


def is_same_commit(one: str, other: str) -> bool:
    """Two SHAs of any length name one commit when the shorter is a prefix of the longer."""
    return one.startswith(other) or other.startswith(one)


class SyncIndex:
    """Usable syncs of a workspace: all, by CLI instance, by the first digits of the commit."""

    __slots__ = ("_all", "_by_commit", "_by_instance")

    def __init__(self) -> None:
        self._all: SortedList[_Item] = SortedList()
        self._by_instance: dict[str, SortedList[_Item]] = {}
        self._by_commit: dict[str, SortedList[_Item]] = {}

    def add(self, sync: Record) -> None:
        for items in self._lists(sync):
            items.add((sync.start, sync.id, sync))

    def discard(self, sync: Record) -> None:
        for items in self._lists(sync):
            items.remove((sync.start, sync.id, sync))
        digits = after_sha(sync)[:COMMIT_PREFIX_DIGITS]
        if not self._by_commit[digits]:
            del self._by_commit[digits]
        instance_id = sync.fields.get("cli_instance_id", "")
        if instance_id in self._by_instance and not self._by_instance[instance_id]:
            del self._by_instance[instance_id]

    def latest(self, at_us: int) -> Record | None:
        """The workspace's latest at or before; ties: the higher id."""
        return _latest(self._all, at_us)

    def latest_of_instance(self, instance_id: str, at_us: int) -> Record | None:
        """The latest from that CLI instance."""
        items = self._by_instance.get(instance_id)
        return None if items is None else _latest(items, at_us)

    def latest_of_commit(self, commit: str, at_us: int) -> Record | None:
        """The latest that brought that commit."""
        items = self._by_commit.get(commit[:COMMIT_PREFIX_DIGITS])
        if items is None:
            return None
        item: _Item
        for item in items.irange(None, (at_us + 1,), (True, False), reverse=True):
            if is_same_commit(after_sha(item[2]), commit):
                return item[2]
        return None

    def next_start(self, sync: Record) -> int | None:
        """When the sync after `sync` in the workspace started; None when it is the last."""
        return _next_start(self._all, sync)

    def next_start_of_instance(self, sync: Record) -> int | None:
        """The same among the syncs of its CLI instance."""
        items = self._by_instance.get(sync.fields.get("cli_instance_id", ""))
        return None if items is None else _next_start(items, sync)

    def is_latest_after(self, sync: Record, at_us: int) -> bool:
        """Whether it may be the workspace's latest for a start at `at_us` or later."""
        return next(_later(self._all, sync, at_us), None) is None

    def lasts_after(self, sync: Record, at_us: int) -> dict[SyncsOf, str]:
        """Of what it may be the latest for a start at `at_us` or later: instance, commit."""
        names = names_of(sync)
        instance_id = names.get(SyncsOf.INSTANCE)
        if instance_id is not None and any(_later(self._by_instance[instance_id], sync, at_us)):
            del names[SyncsOf.INSTANCE]
        # Whoever names the one by some of its digits has to find it by the other, too.
        commit = after_sha(sync)
        of_commit = self._by_commit[names[SyncsOf.COMMIT]]
        if any(after_sha(later) == commit for later in _later(of_commit, sync, at_us)):
            del names[SyncsOf.COMMIT]
        return names

    def _lists(self, sync: Record) -> "list[SortedList[_Item]]":
        lists = [
            self._all,
            self._by_commit.setdefault(after_sha(sync)[:COMMIT_PREFIX_DIGITS], SortedList()),
        ]
        if (instance_id := sync.fields.get("cli_instance_id")) is not None:
            lists.append(self._by_instance.setdefault(instance_id, SortedList()))
        return lists


def _latest(items: "SortedList[_Item]", at_us: int) -> Record | None:
    found: _Item | None = next(items.irange(None, (at_us + 1,), (True, False), reverse=True), None)
    return None if found is None else found[2]


def _later(items: "SortedList[_Item]", sync: Record, at_us: int) -> Iterator[Record]:
    """Those after `sync` that start at `at_us` at the latest."""
    # From just above its own place, without comparing records.
    for _, _, later in items.irange((sync.start, sync.id + "\0"), (at_us + 1,), (True, False)):
        yield later


def _next_start(items: "SortedList[_Item]", sync: Record) -> int | None:
    # Just above its own place, without comparing records.
    found = next(items.irange((sync.start, sync.id + "\0"), None), None)
    return None if found is None else found[0]
