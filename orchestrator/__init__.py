"""The conductor: seats players, runs matches, keeps the record and prints what came of it."""
