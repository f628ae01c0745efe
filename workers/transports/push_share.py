"""A fair share of the senders for each push service: browsers at one that hangs hold up each other, and nobody else."""

from __future__ import annotations

from workers.transports.bounded import Bounded
from workers.transports.lanes import Shares
from workers.transports.share import FairShare
from workers.transports.sparing_each import SparingEach
from workers.transports.transport import Transport


def push_share(sender: Transport, senders: int) -> Bounded:
    """Push by so many senders at most, to no host that hangs by more than its share, and to none while it is away.

    Args:
        sender: whoever really pushes.
    """
    # Anybody may name any number of hosts: each is given a chance at once, but never more than there are senders.
    return Bounded(SparingEach(FairShare(sender, Shares.of(senders))), few=senders, many=senders)
