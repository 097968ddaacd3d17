"""Figures with their floors, measured in the same run; nothing here is asserted in a test."""
