"""Parts of `tutelage seed`: names, people and their plans, carried out by the workflows."""
