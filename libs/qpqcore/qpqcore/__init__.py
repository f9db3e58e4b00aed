"""What every part of QPQ shares: the model, the wire, the contracts, the bus, the stores."""
