"""How sure a number is: over seeds, over test rows, over settings. Numbers in, numbers out; no record is known here."""
