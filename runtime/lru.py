"""A dict that holds at most so many items and forgets the least recently used one."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """For one thread, or one event loop. Nothing here waits or raises."""

    def __init__(self, items_max: int) -> None:
        self._items_max = items_max
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """The value, which is now the most recently used one; None when there is none."""
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep `value` as the most recently used one."""
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._items_max:
            self._items.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget `key`, if it is there."""
        self._items.pop(key, None)
