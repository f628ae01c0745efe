"""The pages behind the links in mails, by their actions."""
