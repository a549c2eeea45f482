"""From one generation of the timeline to the next: begin it, let it live, give up what is over.

Must stay true:
- From the moment a generation is said to be filled, every sink fills it. What was on the log by
  then, the rebuild fills in. So it lacks nothing when the rebuild is through.
- Its tables, the rights of the user for SQL and the labels are there before anybody reads it.
"""

from typing import Final

from timeline import ddl
from timeline.connection import Connection
from timeline.entry_times import ENTRY_TIMES
from timeline.generation import Generations, Stage, generation_database, read_generations, say_stage
from timeline.host_workspaces import HOST_WORKSPACES
from timeline.long_entries import LONG_ENTRIES
from timeline.migrations import migrate, migrate_generation
from timeline.store import Store

# What follows from the log, and what is copied into each generation.
_OF_A_GENERATION: Final = (
    *(ddl.ENTRIES, ENTRY_TIMES, ddl.ENTRY_IDS, ddl.OBSERVATIONS, ddl.INSTANCES, ddl.SNAPSHOTS),
    *(ddl.CLIENT_SEQS, ddl.DEAD_LETTERS, ddl.WORKSPACE_REGISTER, ddl.WATERMARKS, ddl.WORKSPACES),
    *(HOST_WORKSPACES, LONG_ENTRIES),
)


class GenerationChange:
    """Of one store, for a rebuild. Every method raises TimelineUnavailableError."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store

    async def generations(self) -> Generations:
        return await self._store.generations()

    def prepare(self) -> tuple[Generations, int]:
        """Make the tables of the next generation, or find them; what there is, and its number."""
        migrate(self._store)
        known = self._store.read_now(read_generations, database=self._store.database)
        generation = known.filling[-1] if known.filling else known.newest + 1
        migrate_generation(self._store, generation)
        return known, generation

    async def fill(self, generation: int) -> None:
        """From now on the sinks fill it too."""
        await self._say(generation, Stage.FILLING)

    async def live(self, generation: int, *, before: int) -> None:
        """Let readers have it. `before`: the generation that lives until now.

        To be called when it holds all of `before`; then the watermarks of the sinks are true of it.
        """
        source, target = self._databases(before, generation)
        await self.copy_labels(before, generation)
        await self._run(
            f"INSERT INTO {target}.{ddl.WATERMARKS.name}"
            f" SELECT {int(generation)}, partition, max(offset), max(complete_until)"
            f" FROM {source}.{ddl.WATERMARKS.name} GROUP BY partition"
        )
        await self._say(generation, Stage.LIVING)

    async def copy_labels(self, before: int, generation: int) -> None:
        """The labels of workspaces; once more changes nothing."""
        source, target = self._databases(before, generation)
        names = ", ".join(column.name for column in ddl.WORKSPACES.columns)
        await self._run(
            f"INSERT INTO {target}.{ddl.WORKSPACES.name} ({names})"
            f" SELECT {names} FROM {source}.{ddl.WORKSPACES.name}"
        )

    async def drop(self, generation: int) -> None:
        """Give up its rows; the first one's tables stay, empty. The living one is never dropped."""
        known = await self.generations()
        assert generation != known.living
        # First, so that no sink goes on filling what is going away.
        await self._say(generation, Stage.DROPPED)
        if generation == 0:
            for table in _OF_A_GENERATION:
                await self._run(f"TRUNCATE TABLE IF EXISTS {table.name}")
        else:
            (database,) = self._databases(generation)
            await self._run(f"DROP DATABASE IF EXISTS {database}")

    def _databases(self, *generations: int) -> list[str]:
        base = self._store.database
        return [f"`{generation_database(base, each)}`" for each in generations]

    async def _say(self, generation: int, stage: Stage) -> None:
        await self._store.write(
            lambda connection: say_stage(connection, generation, stage),
            database=self._store.database,
        )

    async def _run(self, sql: str) -> None:
        def run(connection: Connection) -> None:
            connection.command(sql)

        await self._store.write(run, database=self._store.database)
