"""Who is who: users, mentor profiles, and whoever is calling."""
