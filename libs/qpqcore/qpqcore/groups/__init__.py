"""What makes a commit valid beyond MLS itself: one set of pure rules, for delivery and every client alike."""
