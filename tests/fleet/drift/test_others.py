"""Who else may be writing."""

from pathlib import Path

from fleet.drift.others import suspects


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_who_names_the_path_comes_first(tmp_path: Path) -> None:
    put(tmp_path, "etc/cron.d/site", "* * * * * root cp /srv/n.conf /etc/stoker/nginx.conf\n")
    put(tmp_path, "proc/77/cmdline", "/usr/bin/ruby\0/opt/puppetlabs/bin/puppet\0agent\0")
    assert suspects(["gateway | place /etc/stoker/nginx.conf"], tmp_path) == (
        "/etc/cron.d/site names /etc/stoker/nginx.conf",
        "Puppet runs here (process 77)",
    )


def test_tools_that_are_called_now_and_then(tmp_path: Path) -> None:
    put(tmp_path, "etc/cron.d/pull", "*/5 * * * * root ansible-pull -U https://x\n")
    put(tmp_path, "etc/systemd/system/salt.service", "[Service]\nExecStart=/usr/bin/salt-minion\n")
    assert suspects([], tmp_path) == (
        "Ansible is called by /etc/cron.d/pull",
        "Salt is called by /etc/systemd/system/salt.service",
    )


def test_what_is_ours_a_comment_or_an_argument_is_nobody(tmp_path: Path) -> None:
    put(tmp_path, "etc/cron.d/stoker", "* * * * * root x /etc/stoker/nginx.conf\n")
    put(tmp_path, "etc/cron.d/off", "#* * * * * root ansible-pull\n")
    put(tmp_path, "proc/9/cmdline", "grep\0-r\0x\0puppet\0")
    assert suspects(["gateway | place /etc/stoker/nginx.conf"], tmp_path) == ()
