"""Payroll: takes batches of incentives (INC-53), pays them, and remembers what it paid whom."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any


class BatchRefused(Exception):
    """A batch is refused whole."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status."""
        super().__init__(message)
        self.status = status


class Payroll:
    """What payroll has received and paid."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._answers: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self._to_reject: dict[str, tuple[int, str]] = {}
        self.batches: list[dict[str, Any]] = []
        self.payments: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.paid_twice: list[str] = []
        self.repeats = 0
        self.rejections: list[dict[str, str]] = []

    def reject(self, employee_ids: list[str], times: int, reason: str) -> None:
        """Reject these employees in the next batches they are in."""
        with self._lock:
            self._to_reject |= dict.fromkeys(employee_ids, (times, reason))

    def receive(self, key: str, body: bytes) -> dict[str, Any]:
        """Take a batch and pay what is accepted; the same key again gives the same answer. BatchRefused."""
        if not key:
            raise BatchRefused(400, "X-Idempotency-Key is missing")
        with self._lock:
            if key in self._answers:
                before, answer = self._answers[key]
                if before != body:
                    raise BatchRefused(409, "this idempotency key was used for another batch")
                self.repeats += 1
                return answer
            answer = self._book(json.loads(body, parse_float=Decimal))
            self._answers[key] = (body, answer)
            return answer

    def ledger(self) -> dict[str, Any]:
        """Return everything that was received and paid."""
        with self._lock:
            paid = [payment for payments in self.payments.values() for payment in payments]
            return {
                "batches": self.batches,
                "employees": len(self.payments),
                "payments": dict(self.payments),
                "paid": _text(sum(Decimal(one["amount"]) for one in paid)),
                "rejections": self.rejections,
                "paidTwice": self.paid_twice,
                "repeats": self.repeats,
            }

    def _book(self, batch: dict[str, Any]) -> dict[str, Any]:
        records = batch["records"]
        total = sum((Decimal(one["incentiveAmount"]) for one in records), Decimal(0))
        given = batch["controlTotals"]
        if (given["recordCount"], Decimal(given["totalAmount"])) != (len(records), total):
            raise BatchRefused(
                422,
                f"control totals are {given['recordCount']}, {given['totalAmount']}; "
                f"the records come to {len(records)}, {total}",
            )
        rejected = []
        for record in records:
            reason = self._reason(record["employeeId"])
            if reason:
                one = {name: record[name] for name in ("employeeId", "employeeNumber")} | {"reason": reason}
                rejected.append(one)
            else:
                self._pay(batch, record)
        self.rejections += rejected
        refused = {one["employeeId"] for one in rejected}
        accepted = sum(
            (Decimal(one["incentiveAmount"]) for one in records if one["employeeId"] not in refused), Decimal(0)
        )
        payroll_id = f"PB-{len(self.batches) + 1:06d}"
        self.batches.append(
            {
                "batchId": batch["batchId"],
                "payrollBatchId": payroll_id,
                "payPeriod": batch["payPeriod"],
                "records": len(records),
                "totalAmount": _text(total),
                "accepted": len(records) - len(rejected),
                "acceptedAmount": _text(accepted),
            }
        )
        return {
            "batchId": batch["batchId"],
            "status": "PartiallyAccepted" if rejected else "Accepted",
            "payrollBatchId": payroll_id,
            "receivedAt": datetime.now(UTC).isoformat(),
            "recordsAccepted": len(records) - len(rejected),
            "recordsRejected": len(rejected),
            "rejectedRecords": rejected,
            "controlTotals": {"recordCount": len(records), "totalAmount": _text(total)},
        }

    def _reason(self, employee_id: str) -> str:
        times, reason = self._to_reject.get(employee_id, (0, ""))
        if not times:
            return ""
        self._to_reject[employee_id] = (times - 1, reason)
        return reason

    def _pay(self, batch: dict[str, Any], record: dict[str, Any]) -> None:
        known = Counter(
            one for payments in (self.payments[record["employeeId"]],) for p in payments for one in p["calculationIds"]
        )
        self.paid_twice += [one for one in record["calculationIds"] if one in known]
        self.payments[record["employeeId"]].append(
            {
                "payPeriod": batch["payPeriod"],
                "batchId": batch["batchId"],
                "amount": _text(Decimal(record["incentiveAmount"])),
                "calculationIds": record["calculationIds"],
            }
        )


def _text(amount: Decimal | int) -> str:
    return f"{amount:.2f}"
