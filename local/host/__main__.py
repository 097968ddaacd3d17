"""`python -m local.host`: run the function app of a folder until interrupted."""

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from local.host.configuration import HostError, load_host_json, load_settings
from local.host.host import FunctionsHost
from shared.adapters.logs import JsonLines

_STOPS_WITHIN = 8.0


def main() -> int:
    """Run the app; 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--settings", type=Path, default=Path("local.settings.json"))
    parser.add_argument("--script-root", type=Path, default=Path())
    given = parser.parse_args()
    level = os.environ.get("LOCAL_HOST_LOG_LEVEL", "INFO")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    if os.environ.get("LOCAL_HOST_LOG_FORMAT") == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    for noisy in ("azure", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        load_settings(given.settings)
        sys.path.insert(0, str(given.script_root.resolve()))
        app = importlib.import_module("function_app").app
        host = FunctionsHost(app, load_host_json(given.script_root), port=given.port)
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError:
        print(f"port {given.port} is taken: choose another with --port (HOST_PORT for make)", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with host:
        for function in host.functions:
            print(f"  {function.name}: {function.trigger} {function.options.get('route', '')}")
        print(f"ready at {host.url}", flush=True)
        stop.wait()
        # Running functions may finish; one that hangs on a partner or on storage that is gone holds nobody up.
        deadline = threading.Timer(_STOPS_WITHIN, os._exit, [1])
        deadline.daemon = True
        deadline.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
