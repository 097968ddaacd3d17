"""People: employees and assignments from the HR system, by events and by the daily full sync (INC-20 to INC-25)."""
