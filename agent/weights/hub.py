"""The Hub through `huggingface_hub`: access, listing, download.

The library (2.4.0) gives every attempt at a file a name of its own and forgets it afterwards, so a
download that was killed begins anew, and leaves gigabytes lying. So files that come over plain HTTP
are begun in a place that is found again (`origin.begun`), with the library's own transfer. What the
Hub keeps in Xet storage comes through the library as a whole file; its leftovers are removed.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, XetDownloadError
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # lazy there

from agent.weights.origin import begun
from agent.weights.plan import File
from agent.weights.session import PATIENCE, limit_waits

AT_ONCE = 8  # files
LIBRARY = "stoker"


class HuggingFace:
    """An `origin.Origin`: one commit of one model at a Hub. Without a token: public ones only.

    `patience` is the seconds in which the Hub must say something.
    """

    def __init__(
        self, hub: str, repo: str, commit: str, token: str | None, patience: float = PATIENCE
    ) -> None:
        limit_waits(patience)
        self._hub, self._repo, self._commit = hub, repo, commit
        self._token = token or False  # False = also no token that happens to lie on this machine
        self.api = HfApi(endpoint=hub, token=self._token, library_name=LIBRARY)
        self._xet = True

    def check(self) -> None:
        """See `Origin`. The metadata of a gated model is public, so only `auth_check` tells."""
        self.api.model_info(self._repo, revision=self._commit)
        self.api.auth_check(self._repo)

    def listing(self) -> tuple[File, ...]:
        """See `Origin`."""
        tree = self.api.list_repo_tree(self._repo, recursive=True, revision=self._commit)
        return tuple(
            File(
                path=entry.path,
                size=entry.size,
                blob=entry.blob_id,
                sha256=entry.lfs.sha256 if entry.lfs else None,
            )
            for entry in tree
            if isinstance(entry, RepoFile)
        )

    def bring(self, directory: Path, files: Sequence[File]) -> None:
        """See `Origin`. After the first failure no further file is begun."""
        missing = [file for file in files if not (directory / file.path).exists()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            coming = [pool.submit(self._bring, directory, file) for file in missing]
            try:
                for done in as_completed(coming):
                    done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _bring(self, directory: Path, file: File) -> None:
        url = hf_hub_url(self._repo, file.path, revision=self._commit, endpoint=self._hub)
        headers = build_hf_headers(token=self._token, library_name=LIBRARY)
        if self._xet and get_hf_file_metadata(url, headers=headers).xet_file_data is not None:
            self._bring_by_xet(directory, file)
        else:
            resume(url, headers, begun(directory, file), directory / file.path, file.size)

    def _bring_by_xet(self, directory: Path, file: File) -> None:
        """Next time by plain HTTP, if this fails: Xet's storage may be blocked, and the Hub not.

        hf_xet 1.8 raises `RuntimeError` and kinds of `OSError`, also of its own.
        """
        try:
            self.api.hf_hub_download(
                self._repo, file.path, revision=self._commit, local_dir=directory
            )
        except HfHubHTTPError:
            raise
        except Exception as error:
            self._xet = False
            raise XetDownloadError(f"Xet storage: {error}") from error


def resume(url: str, headers: dict[str, str], part: Path, whole: Path, size: int) -> None:
    """Fetch `url` into `whole`, going on with what an earlier try left in `part`."""
    part.parent.mkdir(parents=True, exist_ok=True)
    whole.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        if stream.tell() > size:
            stream.truncate(0)
        http_get(url, stream, resume_size=stream.tell(), headers=headers, expected_size=size)
    part.replace(whole)
