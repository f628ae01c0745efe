"""Pages for people: documentation, links out of mails, and the demonstration of the component."""
