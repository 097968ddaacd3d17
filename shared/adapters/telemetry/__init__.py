"""What can be seen of the hub from outside: spans, metrics, the trace of each log line (RES-08, RES-09).

The OpenTelemetry SDK loads when an exporter is chosen and first used; without one, traces are still carried on.
"""
