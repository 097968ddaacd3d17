"""What can be seen of the hub from outside: spans, metrics, and the trace that each log line belongs to (RES-08, RES-09).

The OpenTelemetry SDK loads when an exporter is chosen and first used; without one, traces are still carried on.
"""
