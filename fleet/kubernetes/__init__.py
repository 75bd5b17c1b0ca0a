"""The engines of an inventory as Kubernetes objects, for those who leave. All of it is pure.

    models ──▶ pod, weights ──▶ objects (Deployment, Service, HPA, …) ──▶ text

The container is the one that the runner starts: it comes from the same adapter (`agent/engines/`).
Field names: https://kubernetes.io/docs/reference/kubernetes-api/ of Kubernetes 1.34 and later.
"""
