"""The federation demo: three servers, five people, one conversation; a domain is killed for the run's middle and comes back."""
