"""Sessions: the meetings, from creation to completion or cancellation."""
