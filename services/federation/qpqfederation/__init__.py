"""federation: will own what goes between domains; today every method of its schema answers `notImplementedYet`."""
