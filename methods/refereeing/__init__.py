"""What watches over a merge: a method is given what stays as it was, and gives back what is a merge."""
