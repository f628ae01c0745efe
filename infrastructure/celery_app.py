"""The Celery app for processes that publish wake-ups: five queues, and settings with their reasons.

The one task and everything that it needs are in `workers.worker`: the API, the loops and Flower
(`workers.flower`) do not import it.
"""

from celery import Celery
from kombu import Queue

from config.settings import settings
from infrastructure.broker import BufferedEvents, FastReconnectAMQP, broker_settings
from workflows.events import QUEUES

app = Celery("tutelage", amqp=FastReconnectAMQP, events=BufferedEvents)
# Read at the first use: an import must not fail for a setting.
app.add_defaults(lambda: broker_settings(settings().require_broker_url()))
app.conf.update(
    # The default gives up after 100 tries; Redis may be unavailable for longer.
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    # Publishing with Redis down fails at once: the wake-up is speed, the sweep is the guarantee.
    task_publish_retry=False,
    # Direct queues only: a FLUSHALL erases topic bindings, and publishing then silently goes nowhere.
    task_queues=[Queue(name, routing_key=name) for name in QUEUES],
    task_default_queue=QUEUES[0],
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    # The delivery's row is the result, and the record of every attempt.
    task_ignore_result=True,
    result_backend=None,
    # The sweep publishes a lost worker's deliveries again; True would loop on a task that kills its worker.
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    # A message is a batch; a dead worker holds few of them.
    worker_prefetch_multiplier=1,
    # Flower asks for them every few seconds while it runs (its `--enable_events`); at other times they cost nothing.
    worker_send_task_events=False,
    task_send_sent_event=False,
    worker_hijack_root_logger=False,
    # A warm shutdown on SIGTERM finishes running tasks; the sweep publishes unfinished deliveries again.
    worker_soft_shutdown_timeout=10,
)
