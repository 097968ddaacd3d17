"""Orders: they are taken in here and go to the sales system, once (RES-01)."""
