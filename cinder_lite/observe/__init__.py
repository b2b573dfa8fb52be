"""Observability: metrics, traces, health checks and masked logs."""
