"""Effects of events: functions and rows of tables, a module per queue, discovered and never imported."""
