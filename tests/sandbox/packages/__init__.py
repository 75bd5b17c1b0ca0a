"""Stub packages with the real names, and the signed repositories that serve them.

`deb` writes and reads the .deb format; `nvidia`, `toolkit` and `docker_ce` say which packages there
are; `repository` indexes and `signing` signs them; `build` makes it all.
To add a package: one entry in the list of its repository.
"""
