"""Deliveries of the HR webhook: each kept as it came, known again when it comes twice (INC-21).

Table HrDeliveries, partition tenant|bucket of the delivery ID, written in one transaction:
  `delivery|delivery ID`   what came, never changed
  `pending|delivery ID`    while it has not been applied; what is found here after a while is queued again, and then
                           has as long again
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from shared.kernel.blob import BlobContainer
from shared.kernel.clock import from_iso, to_iso
from shared.kernel.keys import end_of_prefix, join_key, split_key
from shared.kernel.table import Insert, Row, RowChanged, RowExists, Table, Value

BUCKETS = 16
_MOST_READS = 100
"""Pages of the table that one page of what is to be reviewed reads."""
_MAX_CELL = 30_000
"""UTF-16 units, which is what a cell counts, of a body that stands in the row; a longer one becomes a blob."""


@dataclass(frozen=True)
class Delivery:
    """One delivery. `review`: of an event type that the hub does not know, kept for a person to look at."""

    delivery_id: str
    event_id: str
    event_type: str
    received_at: datetime
    body: str
    review: bool = False


class DeliveryStore:
    """The deliveries of one tenant."""

    def __init__(self, table: Table, bodies: BlobContainer, tenant: str) -> None:
        """Keep table and container."""
        self._table = table
        self._bodies = bodies
        self._tenant = tenant

    def add(self, delivery: Delivery) -> bool:
        """Keep a delivery; False when one of this ID is there already. One transaction."""
        values: dict[str, Value] = {
            "eventId": delivery.event_id,
            "eventType": delivery.event_type,
            "receivedAt": to_iso(delivery.received_at),
            "review": delivery.review,
        }
        if len(delivery.body.encode("utf-16-le")) <= 2 * _MAX_CELL:
            values["body"] = delivery.body
        else:
            # The name tells bodies apart: a forged repeat cannot replace what came first.
            name = f"{sha256(delivery.delivery_id.encode()).hexdigest()}-{sha256(delivery.body.encode()).hexdigest()}"
            self._bodies.write(name, delivery.body.encode(), content_type="application/json")
            values["bodyBlob"] = name
        operations = [Insert(join_key("delivery", delivery.delivery_id), values)]
        if not delivery.review:
            operations.append(
                Insert(join_key("pending", delivery.delivery_id), {"receivedAt": to_iso(delivery.received_at)})
            )
        try:
            self._table.transact(self._partition(delivery.delivery_id), operations)
        except RowExists:
            return False
        return True

    def find(self, delivery_id: str) -> Delivery | None:
        """Return a delivery, or None."""
        row = self._table.get(self._partition(delivery_id), join_key("delivery", delivery_id))
        return self._delivery(row) if row else None

    def settle(self, delivery_id: str) -> None:
        """Remember that a delivery needs no more work."""
        self._table.delete(self._partition(delivery_id), join_key("pending", delivery_id))

    def overdue(self, before: datetime, now: datetime) -> Iterator[Delivery]:
        """Yield the deliveries that have waited since before an instant; each is given time from now on."""
        prefix = join_key("pending", "")
        for bucket in range(BUCKETS):
            for row in self._table.query(self._bucket(bucket), key_from=prefix, key_before=end_of_prefix(prefix)):
                if from_iso(str(row.values["receivedAt"])) >= before:
                    continue
                try:
                    self._table.replace(row, {"receivedAt": to_iso(now)})
                except RowChanged:
                    continue  # applied meanwhile
                if delivery := self.find(split_key(row.key)[1]):
                    yield delivery

    def for_review(self, size: int, position: str | None) -> tuple[list[Delivery], str | None]:
        """Return up to `size` deliveries whose event type is not known, bucket by bucket, and the position after them.

        They lie among all others, so that a page may be short, or empty, before the end.
        """
        bucket, inside = _place(position)
        prefix, found = join_key("delivery", ""), list[Delivery]()
        for _ in range(_MOST_READS):
            page = self._table.page(
                self._bucket(bucket),
                size=size - len(found),
                position=inside,
                key_from=prefix,
                key_before=end_of_prefix(prefix),
                equal={"review": True},
            )
            found += map(self._delivery, page.rows)
            inside = page.next_position
            if inside is None:
                bucket += 1
            if bucket == BUCKETS:
                return found, None
            if len(found) == size:
                break
        return found, f"{bucket}|{inside or ''}"

    def _delivery(self, row: Row) -> Delivery:
        values = row.values
        name = values.get("bodyBlob")
        return Delivery(
            split_key(row.key)[1],
            str(values["eventId"]),
            str(values["eventType"]),
            from_iso(str(values["receivedAt"])),
            self._bodies.read(str(name)).decode() if name else str(values["body"]),
            bool(values["review"]),
        )

    def _partition(self, delivery_id: str) -> str:
        return self._bucket(sha256(delivery_id.encode()).digest()[0] % BUCKETS)

    def _bucket(self, number: int) -> str:
        return join_key(self._tenant, f"{number:02d}")


def _place(position: str | None) -> tuple[int, str | None]:
    """Return the bucket and the position in it at which a page begins."""
    bucket, _, inside = (position or "0").partition("|")
    return int(bucket), inside or None
