"""Tests of what packs and deploys the hub."""
