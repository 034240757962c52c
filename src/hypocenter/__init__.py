"""hypocenter finds where a neural network's training goes wrong."""
