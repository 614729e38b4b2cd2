"""What is done to a cluster and to its connections."""
