"""Users, mentor profiles, and the actor of a request."""
