"""Payroll: approved incentives go out as one batch, once (INC-50 to INC-57)."""
