"""Sessions: the meeting itself, from its creation to its end. Bookings are not known here."""
