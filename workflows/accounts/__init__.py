"""Users and mentor profiles: the records, registration, changes of the mail address, and the links in mails."""
