"""What is told to the user: one report, and the forms it is shown in."""
