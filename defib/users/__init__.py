"""Users and the ways that they come: what they have, where else they could be sent, and whether they arrived."""
