"""HTTP pages: /metrics, health, targets, authentication, TLS."""
