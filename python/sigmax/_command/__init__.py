"""Behind the `sigmax` command: its options, its subcommands and their output."""
