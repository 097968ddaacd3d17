"""How calls to partners survive failures: retries, breakers, rate limits, leases, idempotency (RES-02 to RES-07)."""
