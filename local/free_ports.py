"""Ports for servers that are started in a moment.

They lie below the range from which systems give out ports by themselves (32768 on Linux, 49152 elsewhere): one from
that range can be taken by any outgoing connection between the choice and the start.
"""

import socket
from random import SystemRandom

_FIRST, _BEYOND = 15_000, 32_000
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on, never the same twice in this process. OSError when there is none."""
    for port in SystemRandom().sample(range(_FIRST, _BEYOND), 200):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port found from {_FIRST} to {_BEYOND - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
