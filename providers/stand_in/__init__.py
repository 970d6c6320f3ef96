"""The stand-in of `simulated.py` on loopback, in the wire formats of `dialects.py`, with faults to order.

It exists so that the real SDKs, and whatever is built on them, can be tried, load-tested and rehearsed
without a key: answers, batches, decisions, limits. Answers are as each vendor sends them, but for the model
they report, which is "simulated/<bot>", and what a vendor would refuse is refused in its words. Only loopback
addresses are served. `server.py` says how it is watched and what can be ordered.

Left out: streaming, tools and images; they answer 400 or 404. Chat Completions carries the thinking as
`reasoning_content`, which OpenAI itself never sends but servers that speak its format do.
"""

from providers.stand_in.faults import BATCH_FAULTS, CALL_FAULTS, ON_DEMAND, PROBLEMS
from providers.stand_in.limits import Limits
from providers.stand_in.server import FAULT_HEADER, Server, serve

__all__ = [
    "BATCH_FAULTS",
    "CALL_FAULTS",
    "FAULT_HEADER",
    "ON_DEMAND",
    "PROBLEMS",
    "Limits",
    "Server",
    "serve",
]
