"""What `tutelage seed` is made of: names, people and their plans, and how they are played through the workflows."""
