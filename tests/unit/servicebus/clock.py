"""A clock for the double's queues."""


class Seconds:
    """Seconds since 1970 that pass when a test says so."""

    def __init__(self) -> None:
        """Begin at some instant."""
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
