"""What is kept between runs, each thing made once, whole or not at all."""
