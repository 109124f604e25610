"""Latency of architectures on a device, learned from measurements of few."""
