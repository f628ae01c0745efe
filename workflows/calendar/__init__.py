"""Sessions in external calendars (iCalendar, RFC 5545): invitations by mail, and a private feed for each user."""
