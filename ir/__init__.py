"""The common graph of a program: what ran, in which order, from which source line. Imports no framework."""
