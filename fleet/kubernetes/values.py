"""What is worth a name in the objects, and how words are put there. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

HTTP = "http"  # the name of the port
SECRET, SECRET_KEY = "stoker-hub", "token"
CLIENT = "stoker-client"  # label of the pods that may ask
MONITORING = "monitoring"  # namespace that Prometheus lives in
GPU = "nvidia.com/gpu"
WEIGHTS = "/weights"
LEAVE = 15  # seconds from the end of new requests until SIGTERM: the endpoints have to hear of it


def labels(name: str) -> dict[str, str]:
    """Return the labels of a model's objects; those of its pods are `selector` too."""
    return {**selector(name), "app.kubernetes.io/part-of": "stoker"}


def selector(name: str) -> dict[str, str]:
    """Return the labels that tell the pods of a model from all others."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "engine"}


def metadata(name: str, **more: object) -> Json:
    """Return the metadata of an object of the model `name`."""
    return {"name": name, "labels": labels(name), **more}


def literal(word: str) -> str:
    """Return an argument or a value as the container gets it: $(NAME) would be filled in."""
    return word.replace("$", "$$")


def variables(values: Mapping[str, str]) -> list[Json]:
    """Return environment variables, in the order of the alphabet."""
    return [{"name": name, "value": literal(values[name])} for name in sorted(values)]


def quantity(number: float) -> str:
    """Return a number as a quantity: 10, or 2500m for 2.5."""
    thousandths = Decimal(str(number)) * 1000
    whole = int(thousandths.to_integral_value())
    return str(whole // 1000) if whole % 1000 == 0 else f"{whole}m"
