"""The referee: trains members, hands them to a method, opens the test split once, writes the record."""
