"""What a reader may see: one organization, and of it all workspaces or some."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

# A trailing one stands for any end of a workspace's name.
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Scope:
    """`workspace_patterns`: exact names, or `prefix*`; None: every workspace."""

    organization: str
    workspace_patterns: Sequence[str] | None = None

    def conditions(self, parameters: dict[str, Any]) -> list[str]:
        """SQL that holds for the rows in this scope; its values go to `parameters`."""
        parameters["organization"] = self.organization
        conditions = ["organization = {organization:String}"]
        if self.workspace_patterns is not None:
            exact = [name for name in self.workspace_patterns if not name.endswith(_ANY)]
            prefixes = [name[:-1] for name in self.workspace_patterns if name.endswith(_ANY)]
            parameters |= {"allowed_names": exact, "allowed_prefixes": prefixes}
            conditions.append(
                "(workspace IN {allowed_names:Array(String)} OR arrayExists("
                "prefix -> startsWith(workspace, prefix), {allowed_prefixes:Array(String)}))"
            )
        return conditions
