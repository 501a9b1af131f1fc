"""Weather reports of four stations: a suite for mergeboard."""
