"""What builds, packs and deploys the hub. Never deployed."""
