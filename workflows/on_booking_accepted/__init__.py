"""What follows when the mentor, or an instant listing, said yes. Each file is found, not imported."""
