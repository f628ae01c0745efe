"""Pages in a real browser: `make test-browser`, which needs an installed Chromium; `make test` leaves them out."""
