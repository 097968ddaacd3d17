"""Notifications: what operators are told, and over which channel."""
