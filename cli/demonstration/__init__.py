"""What `tutelage demo` is made of: its stage (show, client, mailbox, receiver), its acts, and its end."""
