"""What operators take along: the dashboard, the rules by which somebody is told, and how Prometheus finds everybody."""
