"""The names of the log's topics and of what else is known by name between processes."""

from typing import Final

EVENTS: Final = "audit.events"
TIMELINE: Final = "audit.timeline"
DEAD_LETTERS: Final = "audit.dead-letters"
ACCESS: Final = "audit.access"

CORRELATE_GROUP: Final = "opstrail-correlate"
SINK_GROUP: Final = "opstrail-sink"
ACCESS_GROUP: Final = "opstrail-access"

# The generation of the timeline: a rebuild writes the next one.
GENERATION: Final = 0
REVISION_BITS: Final = 48


def revision_of(offset: int, generation: int = GENERATION) -> int:
    """The revision of an entry that the envelope at `offset` led to. The highest wins."""
    return (generation << REVISION_BITS) + offset


# The table correlation state is rebuilt from. Faust names it after its app and table.
CORRELATE_APP: Final = CORRELATE_GROUP
STATE_TABLE: Final = "applied"
STATE_CHANGELOG: Final = f"{CORRELATE_APP}-{STATE_TABLE}-changelog"

# Envelopes stay below 512 kB; a row or a timeline batch adds to it, compression takes away.
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
