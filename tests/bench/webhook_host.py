"""The stand-in host with the HR webhook, or with a handler that does the same storage calls and nothing else.

Run as a child process by the bench: `hub` or `floor` as argument, settings in the environment; prints its address.
"""

import json
import os
import sys
from itertools import count
from pathlib import Path

import azure.functions as func

from local.host.configuration import load_host_json
from local.host.host import FunctionsHost
from shared.adapters.identifiers import new_uuid7
from shared.hub import Hub
from shared.kernel.clock import to_iso, utc_now
from shared.kernel.message import new_message
from shared.kernel.table import Insert


def floor_app() -> func.FunctionApp:
    """Return an app whose only function writes two rows in a transaction and sends a message."""
    hub = Hub(os.environ)
    table, numbers = hub.tables.table("HrDeliveries"), count()
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.function_name(name="Floor")
    @app.route(route="v1/webhooks/hr", methods=["POST"])
    def floor(req: func.HttpRequest) -> func.HttpResponse:
        number, text, now = next(numbers), req.get_body().decode(), utc_now()
        rows = [
            Insert(f"delivery|{number}", {"body": text, "receivedAt": to_iso(now)}),
            Insert(f"pending|{number}", {}),
        ]
        table.transact(f"floor|{number % 16:02d}", rows)
        message = new_message(
            message_id=new_uuid7(), message_type="floor", tenant="default", now=now, data={"event": text}
        )
        hub.queues.send("hr-events", message)
        return func.HttpResponse(json.dumps({"received": True}), mimetype="application/json")

    return app


def main() -> None:
    """Serve until standard input ends."""
    if sys.argv[1] == "floor":
        app = floor_app()
    else:
        from function_app import app
    with FunctionsHost(app, load_host_json(Path()), listen=False) as host:
        print(host.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
