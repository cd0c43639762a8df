"""A linear S4D layer with a readout (theory 14): its weights, and what a bound needs to know of them."""
