"""Prometheus exporter and monitoring agent for DeepBrainChain machines."""

__version__ = "0.1.0"
