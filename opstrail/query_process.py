"""`opstrail query`, put together from its parts."""

import asyncio
from typing import Final

from control.authenticator import open_authenticator
from control.database import open_control
from control.failed_authentications import FailedAuthentications
from opstrail.http_app import build_http_app
from opstrail.kafka_logs import open_access_log, open_log
from opstrail.required_servers import require_clickhouse, require_kafka
from opstrail.server import serve, tell_listening
from query.app import query_routes
from query.services import query_services
from runtime.clock import wall_clock_us
from runtime.kafka_security import kafka_security
from runtime.settings import Settings
from runtime.tls import http_tls
from timeline.sql_user import sql_user_password
from timeline.store import open_store

_CHECK_TIMEOUT_S: Final = 3.0


async def serve_query(settings: Settings) -> None:
    """Answer questions until asked to stop; each is on Kafka before its answer."""
    require_kafka(settings)
    require_clickhouse(settings)
    security, tls = kafka_security(settings), http_tls(settings)
    control = open_control(settings.control_database_url)
    try:
        installation = await asyncio.to_thread(control.installation)
    except BaseException:
        control.close()
        raise
    store = open_store(settings, sql_password=sql_user_password(installation.pepper))
    access_log = open_access_log(settings, security)
    # For what is sent again; connects only then.
    log = open_log(settings, security)
    try:
        authenticator = await asyncio.to_thread(open_authenticator, control)
        services = query_services(
            settings,
            store=store,
            control=control,
            authenticator=authenticator,
            access_log=access_log,
            log=log,
            failed_authentications=FailedAuthentications(access_log, wall_clock=wall_clock_us),
            position_secret=installation.position_secret,
            wall_clock=wall_clock_us,
        )
        checks = {
            "timeline": store.ping,
            "control": lambda: asyncio.to_thread(control.ping),
            "access_log": lambda: access_log.ping(timeout_s=_CHECK_TIMEOUT_S),
        }
        app = build_http_app(
            query_routes(services),
            checks=checks,
            lags={"timeline": services.lag_s},
            on_close=authenticator.close,
            while_serving=services.running,
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
        store.close()
        control.close()
