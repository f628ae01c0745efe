"""The steps of `tutelage demo`, with their output, client, mailbox and receiver."""
