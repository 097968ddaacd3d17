"""What the bench measures, one module a capability; each has `figures()`."""
