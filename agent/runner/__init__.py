"""The main process of `stoker-engine@NAME.service`: one engine as one container, from start to end.

`python -m agent.runner NAME` reads the spec, picks GPUs, makes sure that nothing of a former run
is left, starts the container, copies its log, and reports how it ended. It never starts the
engine twice: the agent alone decides on that.

run        one life of an engine
prepare    everything before the container runs
course     what to do next, as a pure function
verdict    what the end means
watch      the log and the end of a container, over restarts of dockerd
dockerd    what we need of Docker (sdk: the real one)
rendering  a `Container` as the SDK's arguments
inbox      what reaches the runner from outside
refusals   what Docker's errors mean
"""
