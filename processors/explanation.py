"""The sentence that tells a person why a sync is held to have configured a record. Pure.

It depends only on what the answer itself says, so equal ones read alike. Those of links are in
`schemas/explanation.py`.
"""

from processors.links import ConfiguredBy
from schemas.explanation import duration_text


def explain_configuration(configured_by: ConfiguredBy) -> str:
    """Why that sync is held to have configured the record."""
    gap = configured_by.gap_us
    when = "at the same moment" if gap == 0 else f"{duration_text(gap)} earlier"
    if configured_by.is_stated:
        return f"last successful sync of the stated commit, {when}"
    if configured_by.instance_id is not None:
        instance_id = configured_by.instance_id
        return f"last successful sync from {instance_id} before the start, {when}"
    return f"last successful sync in the workspace before the start, {when}"
