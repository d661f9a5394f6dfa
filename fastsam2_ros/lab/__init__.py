"""What a robot does not need: the generated world, training, evaluation and the demo."""
