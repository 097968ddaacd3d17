"""Health: checks that run in parallel under one deadline (INC-72, RES-10)."""
