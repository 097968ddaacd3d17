"""A place to stand between two storage operations: to crash, to interleave, to count."""


class Hook:
    """Called around every operation of the fakes, outside their locks; override what is needed.

    An exception from `before` is a crash before the operation, one from `after` a crash after it took effect.
    For tables the arguments are table and partition, for blobs container and name, for queues queue and message ID.
    """

    def before(self, operation: str, place: str, item: str) -> None:
        """Do something before the operation happens."""

    def after(self, operation: str, place: str, item: str) -> None:
        """Do something after the operation happened."""
