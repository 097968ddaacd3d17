"""Messages: how they are processed, tried again, and given up (INC-70, INC-71, RES-06)."""
