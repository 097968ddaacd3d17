"""`make start`: everything up, for a browser, until Ctrl-C."""

import os
import signal
import sys
from pathlib import Path

from local.processes import ROOT, Stack, StartError

DEFAULT_PORTS = {
    "host": 7071,
    "sandbox": 7080,
    "sftp": 7022,
    "mail": 7025,
    "blob": 10000,
    "queue": 10001,
    "table": 10002,
}


def ports() -> dict[str, int]:
    """Return the ports: the usual ones, or those of HOST_PORT, SANDBOX_PORT, SFTP_PORT, MAIL_PORT, BLOB_PORT..."""
    return {name: int(os.environ.get(f"{name.upper()}_PORT") or usual) for name, usual in DEFAULT_PORTS.items()}


def main() -> int:
    """Run until interrupted; 1 when something does not start."""
    # A shell that starts us in the background has Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    storage = Path(os.environ.get("HUB_STORAGE") or ROOT / ".local" / "azurite")
    try:
        with Stack(ports=ports(), storage=storage) as stack:
            print(f"hub      {stack.host_url}/api/v1/health")
            print(f"sandbox  {stack.sandbox_url}/")
            print(f"storage  {stack.azurite.connection_string.split('AccountKey')[0]}...")
            print(f"logs     {ROOT / '.local'}    Ctrl-C ends everything", flush=True)
            stack.wait()
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
