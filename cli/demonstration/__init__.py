"""What `tutelage demo` runs: the steps, with their output, client, mailbox and receiver."""
