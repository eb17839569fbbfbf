"""Readers of data files, which may be damaged or hostile: csv, .npy, .npz, idx."""
