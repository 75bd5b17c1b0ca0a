"""`EngineSpec`: what is desired of one engine, in words that no single program owns.

`agent/engines/` turns it into the command line of TGI, vLLM or SGLang, and says in one sentence
for each setting what a program cannot honour. To add one: a field here, its line with a comment
in `group_data/all.py`, and in each adapter a flag or a refusal.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from agent.spec_types import Commit, Count, ModelId, PinnedImage, Port, Seconds, Section

Share = Annotated[float, Meta(gt=0, le=1, description="a share, more than 0 and at most 1")]
Pin = Annotated[
    str,
    Meta(
        pattern=r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}\Z",
        description="ORGANISATION/NAME@COMMIT, the commit in 40 hex digits",
    ),
]


User = Annotated[
    str,
    Meta(pattern=r"^[0-9]+:[0-9]+\Z", description="a user and a group in digits, such as '2000:0'"),
]


class EngineSpec(Section, frozen=True, kw_only=True):
    """One engine: which program serves which model, on how many GPUs, with which limits."""

    kind: Literal["tgi", "vllm", "sglang"] = "vllm"
    image: PinnedImage
    model: ModelId
    revision: Commit
    served_name: str | None = None
    gpus: Annotated[int, Meta(ge=0, le=64)] = 1
    tensor_parallel: Count | None = None
    pipeline_parallel: Count = 1
    data_parallel: Count = 1
    port: Port = 8080
    max_input_tokens: Count = 4096
    max_total_tokens: Count = 8192
    max_batch_prefill_tokens: Count | None = None
    max_concurrent_requests: Count = 128
    max_running_requests: Count | None = None
    dtype: Literal["auto", "bfloat16", "float16"] = "auto"
    quantize: str | None = None
    kv_cache_dtype: str = "auto"
    memory_fraction: Share | None = None
    prefix_caching: bool | None = None
    speculation: Literal["ngram", "draft", "eagle", "eagle3", "mtp", "medusa"] | None = None
    speculation_tokens: Count | None = None
    speculation_model: Pin | None = None
    lora_adapters: dict[str, Pin] = field(default_factory=dict)
    lora_rank: Count | None = None
    trust_remote_code: bool = False
    shm_gib: Count = 16
    memory_gib: Count | None = None
    user: User | None = None
    read_only: bool = True
    pids: Count | None = None
    environment: dict[str, str] = field(default_factory=dict)
    extra_args: tuple[str, ...] = ()
    startup_deadline: Seconds = 1800.0
    drain_deadline: Seconds = 300.0
    probe_deadline: Seconds = 30.0
    shrink: bool = False
    hang_after: Seconds | None = None

    @property
    def name_served(self) -> str:
        """The model name that clients send; the model id unless `served_name` is set."""
        return self.served_name or self.model

    @property
    def repositories(self) -> tuple[tuple[str, str], ...]:
        """Repository and commit of all that must lie on the node, the model first, none twice."""
        pins = [self.speculation_model, *self.lora_adapters.values()]
        others = [split_pin(pin) for pin in pins if pin]
        return tuple(dict.fromkeys([(self.model, self.revision), *others]))


def split_pin(pin: str) -> tuple[str, str]:
    """Return repository and commit of `ORGANISATION/NAME@COMMIT`."""
    repository, _, commit = pin.partition("@")
    return repository, commit


def folder(repository: str, commit: str) -> str:
    """Return where weights lie below the root of all weights, one directory per commit."""
    return f"{repository.replace('/', '--')}/{commit}"
