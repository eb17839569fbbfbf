"""Bytes on disk to arrays and back. Every file is checked before use."""
