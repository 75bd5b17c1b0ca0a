"""pyinfra reads this before an inventory: the settings that hold for every run."""

from pyinfra import config

from fleet import guard, pyinfra_tuning, ssh_tuning
from fleet.run import begin

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"
ssh_tuning.no_delay()
ssh_tuning.quiet()
pyinfra_tuning.quicken()
guard.remember()
guard.answer_questions()
guard.refuse_empty_runs()
guard.refuse_disorder()
guard.at_end(begin.finish)
