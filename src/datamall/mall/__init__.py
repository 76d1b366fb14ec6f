"""Data in: contracts, mappings, intake, and the one door through which data leave a store."""
