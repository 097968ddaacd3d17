"""Children that do not outlive their parent, even when it is killed."""

import os
import sys
from collections.abc import Sequence

# The kernel signals the child when its parent dies; a check follows for a parent that died before the call.
_GUARD = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != parent:
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def end_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that runs the given one (an absolute path first) and ends when this process ends.

    Only Linux can promise this; elsewhere the command is returned as it is. The signal comes when the thread that
    started the child ends, so start children from a thread that lives as long as they should.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *command]
