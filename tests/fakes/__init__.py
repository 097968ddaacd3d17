"""The storage ports in memory, with Azure's rules and limits; the contract tests hold them to the real adapters."""
