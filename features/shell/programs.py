"""What onward knows of the way programs take their arguments.

Three tables: programs that run another program (`WRAPPERS`), programs with subcommands
(`SUBCOMMANDS`), and programs whose plain arguments are files (`FILE_PROGRAMS`).
"""

from __future__ import annotations

import re

import msgspec

__all__ = ["FILE_PROGRAMS", "SHELLS", "SUBCOMMANDS", "WRAPPERS", "Wrapper", "canonical", "names"]


def names(text: str) -> frozenset[str]:
    """Give the words of a text as a set; long tables read better so."""
    return frozenset(text.split())


SHELLS = names("sh bash zsh dash ksh ash mksh fish rbash csh tcsh")
"""Programs that run the script given after ``-c``, in a file, or on standard input."""


class Wrapper(msgspec.Struct, frozen=True):
    """How a program takes the command that it runs."""

    values: frozenset[str] = frozenset()
    """Options that take the next word as their value."""
    positional: int = 0
    """Plain words before the command: the duration of ``timeout``, the host of ``ssh``."""
    joined: bool = False
    """The words are joined and read as a script by a shell, as ``ssh`` and ``watch`` do."""
    needs: frozenset[str] = frozenset()
    """Options without which the program runs no command (``su`` without ``-c``)."""
    never: frozenset[str] = frozenset()
    """Options with which it runs no command (``command -v``)."""
    subs: frozenset[str] = frozenset()
    """First words with which it runs a command (``exec`` of docker); empty: always."""
    dashed: bool = False
    """The command stands after ``--``, as for ``kubectl exec``."""


def _wrap(
    values: str = "",
    positional: int = 0,
    *,
    joined: bool = False,
    needs: str = "",
    never: str = "",
    subs: str = "",
    dashed: bool = False,
) -> Wrapper:
    return Wrapper(
        names(values), positional, joined, names(needs), names(never), names(subs), dashed
    )


_DOCKER = (
    "-e --env -u --user -w --workdir --name -v --volume -p --publish --network --net --mount "
    "--entrypoint --platform --env-file -m --memory --cpus --gpus --add-host -h --hostname -l "
    "--label --restart --shm-size --cap-add --device --ulimit --tmpfs --pid --ipc --dns --user "
    "-H --host -c --context --index -f --file --project-directory --profile"
)

WRAPPERS: dict[str, Wrapper] = {
    "sudo": _wrap("-u -g -h -p -C -r -t -T -U -D -R --user --group --prompt --chdir"),
    "doas": _wrap("-u -C"),
    "env": _wrap("-u -C --unset --chdir"),
    "nohup": _wrap(),
    "setsid": _wrap(),
    "command": _wrap(never="-v -V"),
    "builtin": _wrap(),
    "exec": _wrap("-a"),
    "coproc": _wrap(),
    "time": _wrap("-f -o --format --output"),
    "gtime": _wrap("-f -o --format --output"),
    "timeout": _wrap("-s -k --signal --kill-after", 1),
    "gtimeout": _wrap("-s -k --signal --kill-after", 1),
    "nice": _wrap("-n --adjustment"),
    "ionice": _wrap("-c -n --class --classdata", never="-p --pid"),
    "chrt": _wrap("-T -P -D", 1, never="-p --pid"),
    "taskset": _wrap("", 1, never="-p --pid"),
    "stdbuf": _wrap("-i -o -e --input --output --error"),
    "unbuffer": _wrap(),
    "strace": _wrap("-o -e -p -s -u -E -a -P"),
    "ltrace": _wrap("-o -e -p -s -u -l -x"),
    "valgrind": _wrap(),
    "catchsegv": _wrap(),
    "chroot": _wrap("", 1),
    "unshare": _wrap("-R -w -S -G"),
    "nsenter": _wrap("-t --target -S -G"),
    "flock": _wrap("-w -E --timeout --conflict-exit-code", 1),
    "xvfb-run": _wrap("-s -n -e -f -w --server-args --server-num"),
    "dbus-run-session": _wrap("--config-file"),
    "busybox": _wrap(),
    "toybox": _wrap(),
    "caffeinate": _wrap("-t -w"),
    "rlwrap": _wrap("-f -H -C"),
    "proxychains": _wrap("-f"),
    "proxychains4": _wrap("-f"),
    "torsocks": _wrap(),
    "fakeroot": _wrap("-s -i -l"),
    "firejail": _wrap(),
    "systemd-run": _wrap("-p -u --unit --property --uid --gid -M -H -E"),
    "systemd-inhibit": _wrap(),
    "pkexec": _wrap("--user"),
    "runuser": _wrap("-u -g -G", needs="-u --user"),
    "xargs": _wrap(
        "-I -n -P -L -d -a -E -s --max-args --max-procs --max-lines --delimiter --arg-file"
    ),
    "watch": _wrap("-n --interval -s", joined=True),
    "entr": _wrap(),
    "parallel": _wrap("-j -S -a -N -n --jobs --colsep --delay --timeout --results", joined=True),
    "ssh": _wrap("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", 1, joined=True),
    "mosh": _wrap("-p", 1),
    "docker": _wrap(_DOCKER, 2, subs="exec run"),
    "podman": _wrap(_DOCKER, 2, subs="exec run"),
    "uv": _wrap("--with --python -p --project --directory --extra --group", 1, subs="run"),
    "poetry": _wrap("-C -P --directory --project", 1, subs="run"),
    "pipenv": _wrap("", 1, subs="run"),
    "pdm": _wrap("-p", 1, subs="run"),
    "hatch": _wrap("-e --env", 1, subs="run"),
    "rye": _wrap("", 1, subs="run"),
    "pixi": _wrap("-e --environment", 1, subs="run"),
    "conda": _wrap("-n -p --name --prefix --cwd", 1, subs="run"),
    "mamba": _wrap("-n -p --name --prefix --cwd", 1, subs="run"),
    "kubectl": _wrap("", 1, subs="exec", dashed=True),
    "oc": _wrap("", 1, subs="exec rsh", dashed=True),
    "bundle": _wrap("", 1, subs="exec"),
    "npx": _wrap("-p --package", never="-c --call"),
    "bunx": _wrap(),
    "uvx": _wrap("--from --with --python -p"),
    "pipx": _wrap("--spec", 1, subs="run"),
    "coverage": _wrap("--source --rcfile --include --omit --data-file --context", 1, subs="run"),
}
"""Programs that run the program named in their arguments."""

_GIT = "-C -c --git-dir --work-tree --namespace --exec-path --super-prefix --config-env"
_KUBE = "-n --namespace --context --kubeconfig --cluster --user -s --server --token"
_NPM = "--prefix -C --dir --cwd -w --workspace --filter -F"

SUBCOMMANDS: dict[str, frozenset[str]] = {
    program: names(values)
    for programs, values in {
        "git": _GIT,
        "hg jj svn bzr fossil": "-R --repository --cwd --config",
        "pip uv poetry pipenv pdm hatch rye pixi twine flit pipx conda mamba": "--python -p",
        "npm pnpm yarn bun deno lerna nx turbo": _NPM,
        "cargo rustup go dotnet mix gem bundle composer stack cabal": "-C --manifest-path --config",
        "docker podman": "-H --host -c --context --config -l --log-level",
        "docker-compose": "-f --file -p --project-name --profile --env-file",
        "kubectl oc helm k9s kustomize istioctl argocd flux": _KUBE,
        "terraform tofu pulumi terragrunt vagrant packer": "-C --cwd -s --stack",
        "aws": "--profile --region --endpoint-url --output --query",
        "gcloud gsutil bq az doctl heroku flyctl fly vercel netlify wrangler firebase railway eb": (
            "--project --account --configuration --subscription -a --app --token --scope"
        ),
        "gh glab hub": "-R --repo --hostname",
        "systemctl service launchctl brew apt apt-get dpkg yum dnf pacman apk snap": "-o -c",
        "make just task rake gradle gradlew mvn mvnw ninja bazel": "-C -f -j -p -P -D --file",
        "redis-cli sqlite3 mongosh openssl ip nmcli vault consul etcdctl nomad": "-h -p -a -n",
        "alembic flask dvc mlflow prefect dagster airflow dbt celery supabase prisma": "-c --app",
        "tmux screen claude codex onward ollama pre-commit ansible-vault": "-L -S -t -f",
    }.items()
    for program in programs.split()
}
"""Programs with subcommands, each with its global options that take a value."""

FILE_PROGRAMS = names(
    "cat head tail less more bat nl tac wc ls ll dir tree stat file du touch mkdir rmdir rm cp mv "
    "ln install unlink shred truncate chmod chown chgrp cd pushd source . tee readlink realpath "
    "basename dirname diff cmp sort uniq md5sum sha256sum xxd od hexdump strings pytest python "
    "node ruby perl bash sh zsh ruff mypy flake8 black isort gcc g++ rustc tsc vim vi nano open "
    "tar zip unzip gzip gunzip rsync scp nm objdump ldd patch eslint prettier vitest jest "
    "wipe srm trash chattr setfacl"
)
"""Programs whose plain arguments name files."""

_VERSIONED = re.compile(r"(python|pip|pypy|ruby|perl|node|php|lua|gcc|clang)(?:-?\d[\d.]*)$")
_ALIASES = {"nodejs": "node", "gsed": "sed", "ggrep": "grep", "egrep": "grep", "fgrep": "grep"}


def canonical(word: str) -> str:
    """Give a program's name without its folder, version and suffix.

    >>> canonical("/usr/bin/python3.11"), canonical("nodejs"), canonical("./run.sh")
    ('python', 'node', 'run.sh')
    """
    name = word[word.rfind("/") + 1 :] if "/" in word else word
    if name and name[-1].isdigit():
        match = _VERSIONED.match(name)
        if match:
            return match[1]
    if name.endswith(".exe"):
        name = name[:-4]
    return _ALIASES.get(name, name)
