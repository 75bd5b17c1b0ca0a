"""What `benchmarks/converge_vs_ansible.py` has three tools do: the same work on the same hosts."""
