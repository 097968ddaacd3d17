"""The partners of the hub, played on this machine: an ERP, an identity provider, a receiver of notifications.

They hold data made from a seed, misbehave on request, and keep a ledger of what they truly served and received.
"""
