"""What stands behind the `sigmax` command: its options, its subcommands, what they print."""
