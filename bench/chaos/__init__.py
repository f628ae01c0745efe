"""Seeded faults under load: every part is killed, again and again, while clients play lives and forget nothing."""
