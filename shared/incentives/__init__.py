"""Incentives: plans, calculations, approvals, amendments (INC-40 to INC-42)."""
