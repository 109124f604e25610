"""Zero-cost proxies: scores of untrained networks."""

from ktnas.proxy.scoring import score

__all__ = ["score"]
