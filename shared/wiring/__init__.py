"""How each capability is put together for the hub: settings, stores and ports into its context."""
