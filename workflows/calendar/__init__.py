"""Calendars of other systems: invitations by mail, and a private feed for each user (iCalendar, RFC 5545)."""
