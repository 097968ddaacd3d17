"""A small stand-in for the Azure Functions host: the same function_app.py, host.json and settings, on a laptop.

Triggers are decoded with azure-functions' own converters, as the real worker does. What differs from the real host
is in docs/local-host.md.
"""
