# Each has a worker of its own. They stand here for processes that know no effect, such as Flower.
QUEUES = ("sessions", "reviews", "notifications", "analytics", "webhooks")
