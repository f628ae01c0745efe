"""Push services that are away are spared one by one: browsers at the others are told all the while."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from workers.transports.bounded import Sparing
from workers.transports.transport import Transport
from workflows.events.outcomes import Sent
from workflows.outside.send_push import PushMessage

REMEMBERED = 1000
# Anybody may name a host that is away for ever. An hour old, a message there is tried every six minutes, and some
# seventy times in a day.
PATIENCE = 0.1


class SparingEach:
    """Spares every push service that is away; of those that nobody has pushed to for longest it knows nothing more."""

    def __init__(self, sender: Transport) -> None:
        self._sender = sender
        self._lock = Lock()
        self._services: OrderedDict[str, Sparing] = OrderedDict()

    def send(self, message: PushMessage) -> Sent:
        """Send the message, or put it off.

        Raises:
            Postpone: the browser's push service is away.
        """
        return self._service(message.host).send(message)

    def _service(self, host: str) -> Sparing:
        with self._lock:
            if host not in self._services:
                shown = f"push service {host}"
                self._services[host] = Sparing(self._sender, "push service", shown=shown, patience=PATIENCE)
            self._services.move_to_end(host)
            if len(self._services) > REMEMBERED:
                self._services.popitem(last=False)
            return self._services[host]
