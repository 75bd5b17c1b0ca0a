"""The hub as an aiohttp application: the Hub's routes over the models on disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from aiohttp import web

from . import access, describe, repo
from .access import Reader, Tokens
from .body import send
from .control import Control
from .errors import HubError, entry_not_found, revision_not_found
from .faults import BODY_KINDS

_MODEL = "/api/models/{org}/{name}"
_FILE = "/{org}/{name}/resolve/{revision}/{path:.+}"


class Hub:
    """Serves the models below `root`; `control` is the tests' handle on faults and log."""

    def __init__(self, root: Path, tokens: Tokens, page_size: int = 1000) -> None:
        self.control = Control()
        self._root = root
        self._tokens = tokens
        self._page_size = page_size
        self._scan = asyncio.Lock()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.control.middleware])
        app.on_response_prepare.append(self.control.answered)
        app.add_routes(self.control.routes())
        app.add_routes(
            [
                web.get("/api/whoami-v2", self._whoami),
                web.get(_MODEL, self._model_info),
                web.get(_MODEL + "/revision/{revision}", self._model_info),
                web.get(_MODEL + "/auth-check", self._auth_check),
                web.get(_MODEL + "/refs", self._refs),
                web.get(_MODEL + "/xet-read-token/{revision}", self._xet_token),
                web.get(_MODEL + "/tree/{revision}", self._tree),
                web.get(_MODEL + "/tree/{revision}/{folder:.+}", self._tree),
                web.get(_FILE, self._resolve),  # aiohttp adds HEAD
            ]
        )
        return app

    def _reader(self, request: web.Request) -> Reader:
        return self._tokens.reader(request.headers.get("Authorization"))

    async def _model(self, request: web.Request, *, content: bool = False) -> repo.Repo:
        """The model a request names, if its reader may see it (with `content`: download it)."""
        reader = self._reader(request)
        org, name = request.match_info["org"], request.match_info["name"]
        directory = self._root / org / name
        if org.startswith(".") or name.startswith(".") or not directory.is_dir():
            raise access.unknown_repo(reader)
        async with self._scan:  # one hashing at a time: its result is remembered
            model = await asyncio.to_thread(repo.load, directory, f"{org}/{name}")
        access.check_metadata(model.settings, reader)
        revision = request.match_info.get("revision", "main")
        if revision not in ("main", model.commit):
            raise revision_not_found(revision)
        if content:
            access.check_content(model.settings, reader, model.id)
        return model

    async def _whoami(self, request: web.Request) -> web.Response:
        reader = self._reader(request)
        if reader is Reader.ANONYMOUS:
            raise HubError(401, "", "Invalid username or password.")
        token = {"displayName": "sandbox", "role": "read"}
        return web.json_response(
            {"type": "user", "name": f"sandbox-{reader.value}", "auth": {"accessToken": token}}
        )

    async def _model_info(self, request: web.Request) -> web.Response:
        model = await self._model(request)
        blobs = request.query.get("blobs", "").lower() in ("true", "1")
        info = await asyncio.to_thread(describe.model_info, model, blobs=blobs)
        wanted = request.query.getall("expand", [])
        if wanted:
            info = {key: value for key, value in info.items() if key in {*wanted, "_id", "id"}}
        return web.json_response(info)

    async def _auth_check(self, request: web.Request) -> web.Response:
        await self._model(request, content=True)
        return web.Response(text="OK")

    async def _refs(self, request: web.Request) -> web.Response:
        model = await self._model(request)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": model.commit}
        return web.json_response({"branches": [main], "converts": [], "tags": []})

    async def _xet_token(self, request: web.Request) -> web.Response:
        await self._model(request, content=True)
        headers = {
            "X-Xet-Access-Token": "sandbox",
            "X-Xet-Cas-Url": "http://127.0.0.1:9",
            "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        }
        return web.json_response({}, headers=headers)

    async def _tree(self, request: web.Request) -> web.Response:
        model = await self._model(request)
        folder = request.match_info.get("folder", "")
        recursive = request.query.get("recursive", "").lower() in ("true", "1")
        entries = describe.tree(model, folder, recursive=recursive)
        if folder and not entries:
            raise entry_not_found(folder)
        first = int(request.query.get("cursor", "0"))
        last = first + self._page_size
        headers = {}
        if last < len(entries):
            following = request.url.update_query(cursor=str(last))
            headers["Link"] = f'<{following}>; rel="next"'
        return web.json_response(entries[first:last], headers=headers)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        model = await self._model(request, content=True)
        file = model.file(request.match_info["path"])
        if file is None:
            refusal = entry_not_found(request.match_info["path"]).response()
            refusal.headers["X-Repo-Commit"] = model.commit
            return refusal
        headers = {
            "X-Repo-Commit": model.commit,
            "ETag": f'"{file.etag}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if file.sha256:
            headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        if file.sha256 and model.settings.xet:
            route = request.url.origin() / f"api/models/{model.id}/xet-read-token/{model.commit}"
            headers |= {"X-Xet-Hash": file.sha256, "X-Xet-Refresh-Route": str(route)}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(file.size)})
        fault = self.control.faults.take(request.path, BODY_KINDS)
        return await send(request, file, headers, fault)
