"""Who may do what: principals, requirements, and the one table of routes (INC-30, INC-31)."""
