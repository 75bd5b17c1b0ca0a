"""Text Generation Inference 3.3: launcher, shard server and router, as seen from outside."""

VERSION = "3.3.6-dev0"
"""What /info and --version answer; the tags 3.3.6 and 3.3.7 both carry this string."""
