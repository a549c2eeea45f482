"""`opstrail ingest`, put together from its parts.

Must stay true: it starts fast and stays small. Nothing that only reading needs is imported; a test
says what that is.
"""

import asyncio
from typing import Final

from control.authenticator import open_authenticator
from control.database import open_control
from control.failed_authentications import FailedAuthentications
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from opstrail.kafka_logs import open_access_log, open_log
from opstrail.required_servers import require_kafka
from opstrail.server import serve, tell_listening
from runtime.clock import wall_clock_us
from runtime.kafka_security import kafka_security
from runtime.settings import Settings
from runtime.tls import http_tls

_CHECK_TIMEOUT_S: Final = 3.0


async def serve_ingest(settings: Settings) -> None:
    """Accept events until asked to stop; what was answered with 202 is on Kafka by then."""
    require_kafka(settings)
    security, tls = kafka_security(settings), http_tls(settings)
    control = open_control(settings.control_database_url)
    log = open_log(settings, security)
    access_log = open_access_log(settings, security)
    try:
        authenticator = await asyncio.to_thread(open_authenticator, control)
        secret = control.installation().position_secret
        failed_authentications = FailedAuthentications(access_log, wall_clock=wall_clock_us)
        routes = ingest_routes(
            authenticator=authenticator,
            failed_authentications=failed_authentications,
            log=log,
            position_secret=secret,
            clock=wall_clock_us,
            settings=settings,
        )
        checks = {
            "log": lambda: log.ping(timeout_s=_CHECK_TIMEOUT_S),
            "control": lambda: asyncio.to_thread(control.ping),
        }
        app = build_http_app(
            routes,
            on_close=authenticator.close,
            checks=checks,
            while_serving=failed_authentications.running,
        )
        await serve(
            app,
            settings.host,
            settings.port,
            tls=tls,
            trusted_proxies=settings.trusted_proxies,
            on_listening=tell_listening,
        )
    finally:
        await log.close()
        await access_log.close()
        control.close()
