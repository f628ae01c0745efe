"""Reviews: who may write one, and until when."""
