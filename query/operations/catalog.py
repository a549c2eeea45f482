"""Every operation of the read API, and the schemas they refer to."""

from collections.abc import Mapping
from typing import Final

from query.operations.access import ACCESS_OPERATIONS, ACCESS_SCHEMAS
from query.operations.access_log import ACCESS_LOG_OPERATIONS, ACCESS_LOG_SCHEMAS
from query.operations.analysis import ANALYSIS_OPERATIONS, ANALYSIS_SCHEMAS
from query.operations.answers import COMMON_SCHEMAS
from query.operations.entry_schema import ENTRY_SCHEMAS
from query.operations.health import HEALTH_OPERATIONS, HEALTH_SCHEMAS
from query.operations.investigation import INVESTIGATION_OPERATIONS, INVESTIGATION_SCHEMAS
from query.operations.received import RECEIVED_OPERATIONS, RECEIVED_SCHEMAS
from query.operations.register import REGISTER_OPERATIONS, REGISTER_SCHEMAS
from query.operations.timeline import TIMELINE_OPERATIONS, TIMELINE_SCHEMAS
from runtime.operation import JsonSchema, Operation

QUERY_OPERATIONS: Final[tuple[Operation, ...]] = (
    *TIMELINE_OPERATIONS,
    *INVESTIGATION_OPERATIONS,
    *RECEIVED_OPERATIONS,
    *REGISTER_OPERATIONS,
    *ANALYSIS_OPERATIONS,
    *ACCESS_OPERATIONS,
    *ACCESS_LOG_OPERATIONS,
    *HEALTH_OPERATIONS,
)
QUERY_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    **COMMON_SCHEMAS,
    **ENTRY_SCHEMAS,
    **TIMELINE_SCHEMAS,
    **INVESTIGATION_SCHEMAS,
    **RECEIVED_SCHEMAS,
    **REGISTER_SCHEMAS,
    **ANALYSIS_SCHEMAS,
    **ACCESS_SCHEMAS,
    **ACCESS_LOG_SCHEMAS,
    **HEALTH_SCHEMAS,
}
