"""What mentors offer."""
