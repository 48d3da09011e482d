"""The dataplanes that come with the core."""
