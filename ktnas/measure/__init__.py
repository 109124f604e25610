"""Latency of networks, measured on a machine."""
