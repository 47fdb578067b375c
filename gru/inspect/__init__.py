"""Looking inside any recurrence: one run is recorded, and everything else reads the record."""
