"""`python -m local.sandbox`: the partners, until interrupted."""

import argparse
import signal
import socket
import sys
from zoneinfo import ZoneInfo

from local.sandbox.generator import Shape
from local.sandbox.server import Sandbox


def main() -> int:
    """Serve the sandbox; 1 when the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=7080)
    parser.add_argument("--sftp-port", type=int, default=7022)
    parser.add_argument("--mail-port", type=int, default=7025)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--records", type=int, default=10_000, help="sales a day")
    parser.add_argument("--employees", type=int, default=200)
    parser.add_argument("--stores", type=int, default=2)
    parser.add_argument("--sprinkle", action="store_true", help="a few bad records on small days too")
    parser.add_argument("--time-zone", type=ZoneInfo, default=ZoneInfo("Europe/Berlin"))
    given = parser.parse_args()
    shape = Shape(given.seed, given.records, given.employees, given.stores, given.time_zone, sprinkle=given.sprinkle)
    try:
        sandbox = Sandbox(shape, given.port, sftp_port=given.sftp_port, mail_port=given.mail_port)
    except OSError as error:
        print(_what_to_do(given, error), file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"sandbox at {sandbox.url}", flush=True)
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        return 0
    return 0


def _what_to_do(given: argparse.Namespace, error: OSError) -> str:
    """Name the port that is taken, and how another one is chosen."""
    for option, variable in (("port", "SANDBOX"), ("sftp-port", "SFTP"), ("mail-port", "MAIL")):
        port: int = getattr(given, option.replace("-", "_"))
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            return f"port {port} is taken: choose another with --{option} ({variable}_PORT for make)"
    return f"the sandbox cannot listen: {error}"


if __name__ == "__main__":
    sys.exit(main())
