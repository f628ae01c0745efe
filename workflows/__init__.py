"""The business: one function per business action, and one file per thing that follows from an event."""

from zoneinfo import ZoneInfo, reset_tzpath

# The rules of time zones come from the package tzdata, in every process alike: `zoneinfo` would read the machine's
# first, which may be years old. No process computes a local time without a module of this package.
reset_tzpath(())
ZoneInfo.clear_cache()
