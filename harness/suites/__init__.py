"""What is asked: settings over corpora. Every suite is a package of its own here."""
