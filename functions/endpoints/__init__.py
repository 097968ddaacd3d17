"""What answers each route: parse, call one use case, map the outcome."""
