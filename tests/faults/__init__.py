"""What survives what: parts of a running system are stopped, killed and emptied, and every 2xx is kept."""
