"""What every capability shares: money, time, identifiers, errors, messages and the storage ports. Imports no SDK."""
