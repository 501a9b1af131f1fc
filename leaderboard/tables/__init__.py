"""From records to tables: which belong together, what is averaged, what is compared. Nothing is shown here."""
