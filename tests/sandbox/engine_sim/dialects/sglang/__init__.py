"""SGLang 0.5.23: `sglang serve`, its schedulers and its HTTP server, as they look from outside."""

VERSION = "0.5.23"
