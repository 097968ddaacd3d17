"""Triggers: parse, call one use case, map the outcome. One module for each capability."""
