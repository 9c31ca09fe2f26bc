"""What is known about an installation on Kubernetes without asking a cluster: objects, checks, placement of steps."""
