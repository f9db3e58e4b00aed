"""What a process of QPQ needs to live: its secrets, its health page, its clock."""
