"""What a session will take, before it takes it: seconds, memory and disk, and in which order it tells most."""
