"""What the API tells of employees and of HR events kept for review."""

from typing import Any

from shared.kernel.clock import to_iso
from shared.workforce.deliveries import Delivery
from shared.workforce.person import Employee


def shown_employee(employee: Employee) -> dict[str, Any]:
    """Return an employee as the API tells him."""
    return {
        "employeeId": employee.employee_id,
        "employeeNumber": employee.employee_number,
        "erpEmployeeId": employee.erp_employee_id or None,
        "firstName": employee.first_name,
        "lastName": employee.last_name,
        "email": employee.email or None,
        "role": employee.role or None,
        "storeId": employee.store_id or None,
        "status": employee.status.value,
        "hireDate": employee.hire_date or None,
        "terminationDate": employee.termination_date or None,
        "assignments": [
            {
                "assignmentId": one.assignment_id,
                "storeId": one.store_id,
                "role": one.role,
                "startDate": one.first_day.isoformat(),
                "endDate": one.last_day.isoformat() if one.last_day else None,
            }
            for one in employee.assignments
        ],
    }


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """Return a kept delivery as the API tells it."""
    return {
        "deliveryId": delivery.delivery_id,
        "eventId": delivery.event_id,
        "eventType": delivery.event_type,
        "receivedAt": to_iso(delivery.received_at),
        "body": delivery.body,
    }
