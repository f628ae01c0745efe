"""The ways out of the house: HTTP to partners, mail to people. They talk; what to say is prepared elsewhere."""
