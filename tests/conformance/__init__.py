"""The app in the worker that Azure runs on Python 3.13 (azure-functions-runtime), and the package for Azure."""
