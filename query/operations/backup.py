"""A backup, as the API's document tells of it."""

from typing import Final

from control.roles import Role
from query.backup import PATH, not_embedded
from query.backup_copies import MEDIA_TYPE
from query.operations.answers import BAD_PARAMETER, STRING
from runtime.operation import Answer, Content, Header, Operation
from runtime.problem_answer import problem_answer, unavailable_answer

BACKUP_OPERATIONS: Final = (
    Operation(
        id="makeBackup",
        method="POST",
        path=PATH,
        tag="Access",
        summary="Take a backup of everything",
        description="Of an installation that runs in one process (`opstrail up`). A tar with a"
        " manifest at its end, for `opstrail restore`; it holds every organization's trail, and all"
        " that was accepted before this request. It changes nothing.",
        role=Role.OPERATOR,
        answers={
            200: Answer(
                description="The backup.",
                content={MEDIA_TYPE: Content()},
                headers={
                    "Content-Disposition": Header(
                        description="The name of the file.", schema=STRING
                    ),
                    "Content-Length": Header(
                        description="Its bytes.", schema={"type": "integer", "minimum": 0}
                    ),
                    "Vary": Header(description="Of every file.", schema=STRING),
                },
            ),
            400: BAD_PARAMETER,
            403: problem_answer(
                "The key lacks the role this takes, or is narrowed to workspaces (`forbidden`)."
            ),
            409: problem_answer(
                "The data is in Kafka and ClickHouse (`not_embedded`), or another backup is under"
                " way (`backup_under_way`).",
                example=not_embedded(),
            ),
            503: unavailable_answer(
                "The control database (`unavailable`) or the access log"
                " (`access_log_unavailable`) does not answer."
            ),
            507: problem_answer("There is no room for the copies (`backup_failed`)."),
        },
    ),
)
