"""How a call reaches a service, and how services tell each other to look: one interface, any transport."""
