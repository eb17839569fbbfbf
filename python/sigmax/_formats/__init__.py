"""Bytes on disk to arrays and back. Nothing in a file is believed before it was checked."""
