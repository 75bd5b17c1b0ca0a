"""Every setting, its default, and what it is for: the configuration reference.

Keys are flat, because pyinfra replaces a whole key and never merges: a group (`group_data/h100.py`),
a host (`("gpu-7", {"engine_gpus": 8})`) or one run (`--data agent_remediation=observe`) can override
each by itself. `make validate INVENTORY=…` checks every host without connecting to any.
Keys that are commented out have no default: they must be set, here or closer to the host.
"""

# -- pyinfra -------------------------------------------------------------------------------------
_sudo = True  # the SSH user is not root
_timeout = 900  # seconds for one command; without it a frozen host hangs the run for ever

# -- base: kernel settings and the journal ----------------------------------------------------------
# IP address or name at which the other hosts of the inventory reach this one. None: ssh_hostname, or
# else its name in the inventory. A balancer needs an IP address here: firewalls let it in by that.
base_address = None
base_sysctl = {}  # laid over ours; a value of None leaves that one as the host has it
base_journal_gib = 4  # the most that the journal may take

# -- firewall: who may reach which port ---------------------------------------------------------------
# False: no rule of ours; then the agent's and the gateway's ports are as open as the host leaves them.
firewall_enabled = True
firewall_ssh_from = ("0.0.0.0/0", "::/0")  # addresses and networks; never empty
firewall_read_from = ()  # who may read the agent's status and metrics, if agent_listen lets them
firewall_allow = {}  # ports of others: {"9100": ("10.0.0.0/8",), "51820/udp": ("0.0.0.0/0",)}

# -- driver: NVIDIA's driver ---------------------------------------------------------------------
# GPUs that the host has. Fewer on its PCI bus: refused. 0: no driver, no toolkit.
driver_gpu_count = 1
# What they are ("H100-SXM", "A100-80-SXM", "H200", …), for a plan before any host is up; a wrong name
# is answered with the nearest. None: as the driver reports them.
driver_gpu_type = None
# "lts" (580 now), "production" (595 now; 580 for GPUs before Turing), or a branch: "580", "595", "620".
driver_branch = "production"
driver_version = None  # the very version, such as "595.91.07"; None: leave the one that is there
driver_force_branch = False  # True: also a branch that NVIDIA no longer, or not for long, supports
driver_adopt = True  # leave a driver that works and came from elsewhere as it is
driver_reboot = (
    True  # reboot when the loaded module is not the installed one; False: say so and stop
)
# How GPUs are split at every boot, by index or "all": {"0": ("3g.40gb", "3g.40gb")}; engines take
# whole GPUs only (docs/runtime.md).
driver_mig = {}
driver_repository = "https://developer.download.nvidia.com/compute/cuda/repos"
# Where the repository's key is; None: beside the packages, under the name NVIDIA gives it.
driver_repository_key = None
# Keys that may sign; any other is refused. These are NVIDIA's two.
driver_repository_key_fingerprints = (
    "EB693B3035CD5710E231E123A4B469963BF863CC",  # Ubuntu, Debian 12
    "02182E60104FCDC26EAE1B8597A5D4CB8793F200",  # Debian 13
)

# -- runtime: Docker and NVIDIA's container toolkit ----------------------------------------------
runtime_docker_repository = "https://download.docker.com/linux"
runtime_docker_key = None  # None: `gpg` beside the packages
runtime_docker_key_fingerprint = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
# An older Docker is upgraded, unless containers run in it: then the host is refused (docs/runtime.md).
# 28.2 is the first with CDI switched on by itself.
runtime_docker_minimum = "28.2"
runtime_toolkit_repository = "https://nvidia.github.io/libnvidia-container/stable/deb"
runtime_toolkit_key = "https://nvidia.github.io/libnvidia-container/gpgkey"
runtime_toolkit_key_fingerprint = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
runtime_toolkit_version = "1.20.1-1"  # of all four packages
# Laid over our daemon.json, dicts key by key; None takes a key out.
runtime_daemon = {}
# Names of containers that are not ours and hold what an engine needs (its port, its GPUs): the deploy
# stops and removes them, and uses the weights they have. One that is not named here: refused.
runtime_take_over = ()
# GiB that must be free for Docker's images; raise it to what your images need.
runtime_disk_floor_gib = 2

# -- model: where weights come from and where they lie -------------------------------------------
model_hub = "https://huggingface.co"
# File on this machine with a Hub token; only the download sees it. None: public models only.
model_token_file = None
# File on this machine that `stoker models lock` writes: the hashes of every file that may be served.
# Once it is there, what it does not name is refused. Keep it under version control.
model_lock_file = "models.lock"
# Directory on the node that holds the weights (an NFS export, a disk) as ORGANISATION--NAME/COMMIT/;
# then no Hub is asked, and the lock must be there. None: from the Hub.
model_source_dir = None
model_root = "/var/lib/stoker/models"
model_download_deadline = 6 * 3600.0  # seconds
# GiB that must be free before anything starts; the download itself checks the exact size.
model_disk_floor_gib = 2

# -- gateway: nginx in front of the engines ------------------------------------------------------
gateway_server_name = "_"  # the name in the certificate; "_": any
# Where the certificate is from. "files": the next two. "local-ca": from an authority of your own, made
# in gateway_local_ca_dir. "acme": by HTTP-01 from an ACME server; port 80 must be reachable from there.
gateway_tls = "files"
# Files on this machine. Others must not be able to read the key and the keys.
gateway_tls_cert_file = ""
gateway_tls_key_file = ""
gateway_local_ca_dir = "local-ca"  # directory on this machine; keep it secret and safe
gateway_acme_directory = "https://acme-v02.api.letsencrypt.org/directory"
gateway_acme_email = None  # gets told of certificates that are about to expire
gateway_acme_ca_file = None  # certificate, on this machine, of an ACME server of your own
# Lines `NAME KEY`, or one line with a single key; NAME is what the access log shows. Behind the key:
# expires=2026-12-31, disabled, requests_per_second=5, burst=10, concurrent=8. `stoker keys new NAME`.
gateway_keys_file = ""
gateway_bad_keys_per_minute = 60  # from one address; beyond it 429
gateway_requests_per_second = 20  # for each key
gateway_burst = 40  # requests above that rate that are let through at once
gateway_connections_per_key = 64  # requests in flight for each key
gateway_connections_per_address = 2048  # the same for each address, whatever the keys
gateway_max_body_mib = 32
gateway_read_timeout = 600.0  # seconds between two pieces of an answer
gateway_retry_after = 15  # seconds, in every 429 and 503
# Addresses and networks of balancers in front of the gateway: what these say of the client's address is
# believed. Those of the inventory are added.
gateway_balancers = ()

# -- agent: how it watches, how patient it is, what it may do ------------------------------------
agent_listen = "127.0.0.1"  # address for reads (status, metrics); requests only by the unix socket
agent_port = 9750
agent_tick = 1.0  # seconds between two looks
agent_remediation = "act"  # "observe": advise only; what a person asks for is done all the same
agent_failures = 2  # looks in a row before a fault counts
agent_successes = 1  # looks in a row before it is over
agent_restart_budget = 3  # restarts by its own initiative within the window; then quarantine
agent_restart_window = 600.0  # seconds
agent_backoff = 5.0  # seconds before the second restart in a row, doubled for each further one
agent_backoff_cap = 300.0
agent_companion_window = 5.0  # seconds to look for more before a remedy is chosen; no drain waits
agent_arm_reset = False  # True: the agent may reset a GPU that needs it, its engines drained
agent_arm_reboot = False  # True: the agent may reboot the host, once all engines are drained
agent_resets_per_day = 2  # of one GPU; then the next rung
agent_reboots_per_day = 2
agent_reboots_per_week = 3
agent_verify_window = 600.0  # seconds; the same fault within them means that the remedy failed
agent_acts_per_hour = 4  # resets and reboots of this node; beyond that a person decides
agent_fleetlock_url = None  # base URL of a FleetLock server: the fleet brake (docs/brake.md)
agent_fleetlock_group = "stoker.{model}"  # one group for each model; "stoker" = one for all
agent_check_port = 9751  # HAProxy's agent-check, on agent_listen
agent_webhook_url = None  # gets signed JSON for phase changes and incidents
agent_webhook_secret_file = None  # on the control machine; signs the webhook

# -- check: what the agent's checks make of what they see -----------------------------------------
# The remedy for an Xid, against the catalogue: {"31": "restart"}; "none" ignores it.
check_xid = {}
check_off = ()  # names of checks that are not run, e.g. ("pcie_link",)
check_disk_floor_gib = 5  # free space below which a disk that we need is reported
check_slowdown_share = 0.6  # share of five minutes slowed down by hardware that is reported
check_streams_broken = (
    0.02  # share of an engine's streams in five minutes, broken off, that is reported
)

# -- rollout: how a change goes over the hosts, and what is kept to go back to ---------------------
# How engines that serve are changed. None: by facts, as `stoker plan` shows. "rolling": hosts of one
# model after each other; refused where only one serves it. "blue/green": on each host a copy on free
# GPUs serves meanwhile; refused where none can. "swap": all hosts at once, clients get 503 meanwhile.
rollout_strategy = None
rollout_batch = 1  # how many hosts of one model change at the same time
rollout_slot_wait = 1800.0  # seconds to wait for a slot of the fleet brake
rollout_revert = True  # a host whose engines do not answer after a change goes back by itself
rollout_keep = 3  # former releases kept on each node, with their images and weights

# -- drift: the check that cron runs on the node -------------------------------------------------
drift_enabled = True
drift_every_minutes = 30
drift_splay = 300  # seconds at most, so that not all hosts check at once
drift_mode = "correct"  # what traffic does not notice is put right at once; "report": nothing is
# When engines may be restarted to put drift right, drained: "02:00-04:30", "Sat,Sun 22:00-02:00".
drift_window = None  # None: never; it is reported
drift_corrections_per_day = (
    3  # of the same thing; beyond it somebody else is at it, and it is reported
)

# -- scaling: how many engines a model wants (docs/scaling.md) ---------------------------------------
# Requests that may wait in each of a model's engines, on average; the arithmetic is a Kubernetes HPA's.
scaling_target_queue = 10.0
scaling_tolerance = 0.1  # share by which the average may miss that without any change
scaling_min = 1
scaling_max = None  # None: no limit on what is told; but no command is run and no webhook is sent
scaling_stabilisation = 300.0  # seconds; fewer are wanted only once they were all that time
# At most so many more within a period: the larger of a share of those that are there, and a number.
scaling_up_percent = 100
scaling_up_replicas = 4
scaling_up_period = 15.0  # seconds
scaling_down_percent = 100  # at most so many fewer within a period
scaling_down_period = 15.0  # seconds
# What single models want otherwise, by the name that clients send: {"chat": {"min": 2, "max": 8}}
scaling_models = {}
# -- balancer: HAProxy in front of all hosts with engines (docs/balancer.md) ---------------------------
# Hosts of the group `balancers` have it, by group_data/balancers.py.
balancer_enabled = False
balancer_peers = None  # None: the hosts of the inventory with engines
balancer_server_name = "_"  # as gateway_server_name; "_": any
balancer_port = 443  # where the host has engines too, its gateway has 443
balancer_tls = "files"  # or "local-ca", by the authority in gateway_local_ca_dir
balancer_tls_cert_file = ""
balancer_tls_key_file = ""
# File on this machine with the certificates of those who signed the gateways' ones. None: the local
# authority for hosts with gateway_tls = "local-ca", the distribution's list for the others.
balancer_nodes_ca_file = None
balancer_check_seconds = 1.0  # between two looks at a gateway's gates
balancer_agent_seconds = 0.25  # between two questions to a node's agent
# How long an agent may say nothing until its last word that its node is out counts no more, if the
# node's gate is open.
balancer_agent_silence = 30.0
# Where hosts serve different models: look for "model" in the body too, not only in the path and in the
# header X-Model.
balancer_read_body = True
balancer_body_kib = 128  # that are looked through, and kept in memory meanwhile
# A header by whose value requests stay at one host, for its prefix cache: "X-Session-Id", or
# "Authorization" for each API key. None: where least is under way.
balancer_affinity = None
balancer_affinity_percent = 150  # of the average load that a host gets at most by it; then the next
balancer_queue_seconds = 30.0  # that a request waits while all hosts are full
balancer_retry_after = 15  # seconds, in every 503 of the balancer's own
balancer_read_timeout = 660.0  # seconds between two pieces of an answer; more than the gateways'
balancer_connections = 20000  # of clients, at once
balancer_metrics_port = 8405  # for Prometheus; for firewall_read_from alone
# An address that balancers of one network share, such as "10.0.0.100/24": one of them has it (keepalived).
balancer_vip = None
balancer_vip_interface = None  # that gets it; None: the one of the default route
balancer_vip_id = 51  # of this pair in its network, 1 to 255
balancer_vip_rank = None  # the lowest has it first; None: by their order in the inventory
balancer_partners = None  # addresses of the others; None: the balancers of the inventory

# -- monitoring: what watches all hosts ----------------------------------------------------------------
# Hosts of the group `monitoring` have it, by group_data/monitoring.py.
monitoring_enabled = False
monitoring_peers = None  # None: all hosts of the inventory
# Address of Prometheus' and Alertmanager's pages, which ask nobody for a password (docs/monitoring.md).
monitoring_listen = "127.0.0.1"
monitoring_port = 9090
monitoring_alertmanager_port = 9093
monitoring_read_from = ()  # addresses and networks that may reach these pages, if monitoring_listen lets them
monitoring_interval = 15  # seconds between two looks at a host
monitoring_retention_days = 30
monitoring_retention_gib = 10  # the oldest goes first
monitoring_rules_files = ()  # files on this machine with rules of your own, beside ours
monitoring_runbooks = "docs/runbooks"  # where alerts say that the runbooks are: an address of yours
monitoring_webhook_url = None  # gets the alerts, as Alertmanager posts them
monitoring_webhook_token_file = None  # file on this machine with a bearer token for it
# File on this machine: a configuration of Alertmanager that takes the place of ours. Others must not be
# able to read it.
monitoring_alertmanager_file = None
# "/etc/grafana/provisioning" where a Grafana is on that host: it gets our boards, and Prometheus.
monitoring_grafana_dir = None

# -- engine: defaults of every engine ------------------------------------------------------------
# One engine called `main` gets these. Several: name them and give what differs, such as
#   engines = {"chat": {"gpus": 4}, "code": {"gpus": 4, "port": 8081, "model": "…", "revision": "…"}}

engine_kind = "vllm"  # "vllm", "sglang" or "tgi"
# engine_image = "vllm/vllm-openai@sha256:…"  # pinned by digest
# engine_model = "ORGANISATION/NAME"
# engine_revision = "…"  # the commit, 40 hex digits
engine_served_name = None  # the model name that clients send; None: engine_model
engine_gpus = 1
# GPUs that split each layer among them; None: all that the next two leave. The product is engine_gpus.
engine_tensor_parallel = None
engine_pipeline_parallel = 1  # parts of the model, one after the other (vLLM, SGLang)
engine_data_parallel = 1  # copies of the model in one engine (vLLM, SGLang)
engine_port = 8080  # on loopback only
engine_max_input_tokens = 4096
engine_max_total_tokens = 8192  # input and output together
engine_max_batch_prefill_tokens = None  # None: the engine's own choice
engine_max_concurrent_requests = 128  # beyond it the engine refuses
# Of these, computed at once (vLLM, SGLang). None: vLLM's own choice; SGLang: as many.
engine_max_running_requests = None
engine_dtype = "auto"  # "auto", "bfloat16" or "float16"
# None: as the checkpoint is. The engine's own word: "fp8" (TGI, SGLang), "fp8_per_tensor" (vLLM), …
engine_quantize = None
engine_kv_cache_dtype = "auto"  # the model's own type; or "fp8_e4m3", "fp8_e5m2", …
# Share of GPU memory, from 0 to 1; of the total (TGI, vLLM), or for weights and KV cache of what is
# free before loading (SGLang). None: the engine's own choice.
engine_memory_fraction = None
engine_prefix_caching = None  # None: the engine's own choice, which is on wherever it can
# Guess tokens ahead: "ngram" (from the text itself), "draft", "eagle" or "eagle3" (by a small model),
# "mtp" (by the model's own heads). TGI has "ngram" only.
engine_speculation = None
engine_speculation_tokens = None  # guessed at once
engine_speculation_model = None  # "ORGANISATION/NAME@COMMIT" of the small model
# Name that clients send as the model → adapter: {"sql": "ORGANISATION/NAME@COMMIT"}
engine_lora_adapters = {}
# The highest rank among them. None: 16 (vLLM), as the adapters say (TGI, SGLang).
engine_lora_rank = None
engine_trust_remote_code = False  # run Python files that come with the model
engine_shm_gib = 16
engine_memory_gib = None  # limit of host memory; None: none
# User and group that it runs as, in digits. None: "2000:0" for vLLM, whose image is made for it; root
# without any capability for TGI and SGLang, whose images keep their Python where only root can read.
engine_user = None
engine_read_only = (
    True  # its container's files; it writes to /tmp, and to a directory for its caches
)
engine_pids = None  # processes and threads at most; None: 4096 for each GPU
engine_environment = {}  # never a secret: `docker inspect` shows it
engine_extra_args = ()  # flags of the engine that have no key here
engine_startup_deadline = 1800.0  # seconds from start to the first answer
engine_drain_deadline = 300.0  # seconds that requests in flight have to finish
engine_probe_deadline = 30.0  # seconds for a one-token answer
engine_shrink = False  # True: serve on fewer GPUs (a valid tensor-parallel degree) when one is bad
engine_hang_after = None  # seconds of work without progress before a probe; None = the engine's own
