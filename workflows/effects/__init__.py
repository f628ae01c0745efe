"""What follows from events: functions and rows of tables, a module per queue, found and never imported."""
