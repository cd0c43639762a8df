"""A report as one page that needs nothing but itself: no network, no script, no other file."""
