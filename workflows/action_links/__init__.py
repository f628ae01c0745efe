"""Links in mails by which their reader acts without signing in."""
