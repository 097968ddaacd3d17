"""How the hub touches the world: storage, queues, HTTP, identity. Imports no capability."""
