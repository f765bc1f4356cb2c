#!/usr/bin/env python3
"""Measures Billstream beside the stock cqrs-es stack, in one run on one machine, and writes docs/benchmarks.md.

Rounds are interleaved (ours, stock, ours, stock ...), figures are medians over the rounds. Needs Rust, Python and
Postgres' binaries; takes about 25 minutes after the release builds.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import pwd
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAYLOAD = 330  # bytes: what one preferences event holds in our log


def run(command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def postgres_bin():
    found = shutil.which("initdb")
    if found:
        return pathlib.Path(found).resolve().parent
    for directory in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (directory / "initdb").exists():
            return directory
    raise SystemExit("bench/run.py needs Postgres' binaries (Debian: apt-get install postgresql)")


class Postgres:
    """A server of our own, settings as they come, fsync on."""

    def __init__(self):
        self.bin = postgres_bin()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="billstream-bench-"))
        self.user = []
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            self.user = ["runuser", "-u", "postgres", "--"]
        run([*self.user, self.bin / "initdb", "-D", self.directory / "data", "-A", "trust", "-U", "postgres"])
        options = f"-c listen_addresses='' -c unix_socket_directories={self.directory} -c max_connections=300"
        subprocess.run(
            [*self.user, self.bin / "pg_ctl", "-D", self.directory / "data", "-o", options, "-w",
             "-l", self.directory / "log", "start"],
            check=True, stdout=subprocess.DEVNULL,
        )
        self.version = run([self.bin / "postgres", "--version"]).strip()
        self.databases = 0

    def database(self):
        self.databases += 1
        name = f"bench{self.databases}"
        run([self.bin / "createdb", "-h", self.directory, "-U", "postgres", name])
        return f"postgres://postgres@localhost/{name}?host={self.directory}"

    def stop(self):
        subprocess.run([*self.user, self.bin / "pg_ctl", "-D", self.directory / "data", "-m", "fast", "stop"],
                       check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


class Bench:
    def __init__(self, rounds, seconds):
        self.rounds, self.seconds = rounds, seconds
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        self.ours = target / "release" / "billstream"
        self.stock = ROOT / "bench" / "stock" / "target" / "release" / "stock-bench"
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="billstream-bench-"))
        self.files = 0
        self.postgres = Postgres()

    def sqlite(self):
        self.files += 1
        return f"sqlite://{self.scratch}/bench{self.files}.db"

    def engine(self, database, clients, streams):
        command = [self.ours, "bench", "commands", "--database", database, "--clients", clients,
                   "--streams", streams, "--streams-per-client", 25, "--seconds", self.seconds]
        return json.loads(run([str(part) for part in command]))

    def baseline(self, database, clients, streams):
        command = [self.stock, "--database", database, "--clients", clients, "--streams", streams,
                   "--streams-per-client", 25, "--seconds", self.seconds, "--payload-bytes", PAYLOAD]
        return json.loads(run([str(part) for part in command]))

    def compare(self, new_database, clients, streams, with_stock):
        """Medians of ours and of the stock stack, rounds interleaved, every round on a database of its own."""
        ours, stock = [], []
        for _ in range(self.rounds):
            ours.append(self.engine(new_database(), clients, streams))
            if with_stock:
                stock.append(self.baseline(new_database(), clients, streams))
        row = {
            "clients": clients,
            "streams": streams,
            "ours": statistics.median(r["per_second"] for r in ours),
            "p50": statistics.median(r["p50_microseconds"] for r in ours) / 1000,
            "p99": statistics.median(r["p99_microseconds"] for r in ours) / 1000,
            "stock": statistics.median(r["per_second"] for r in stock) if stock else None,
        }
        print(row, flush=True)
        return row

    def http(self, database):
        tenant = json.loads(run([self.ours, "tenant", "create", "bench", "--json", "--database", database]))
        server = subprocess.Popen([self.ours, "serve", "--listen", "127.0.0.1:0", "--database", database],
                                  stdout=subprocess.PIPE, text=True)
        try:
            for line in server.stdout:
                if "listens on " in line:
                    url = line.split("listens on ")[1].split(",")[0].strip()
                    break
            time.sleep(2)
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
            idle = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
            rounds = []
            for _ in range(self.rounds):
                command = [self.ours, "bench", "http", "--url", url, "--key", tenant["wingback"]["api_key"],
                           "--connections", "64", "--seconds", str(self.seconds)]
                rounds.append(json.loads(run(command)))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        figure = {
            "per_second": statistics.median(r["per_second"] for r in rounds),
            "p99": statistics.median(r["p99_microseconds"] for r in rounds) / 1000,
            "idle_mb": idle / 1024,
        }
        print(figure, flush=True)
        return figure

    def rebuild(self, database, events):
        run([self.ours, "bench", "fill", "--events", str(events), "--database", database])
        speeds = []
        for _ in range(self.rounds):
            answer = json.loads(run([self.ours, "bench", "rebuild", "--database", database]))
            speeds.append(answer["per_second"])
        print("rebuild", speeds, flush=True)
        return statistics.median(speeds)


def table(rows):
    lines = ["| clients | streams | Billstream, commands/s | p50 ms | p99 ms | stock stack, commands/s | ratio |",
             "|---|---|---|---|---|---|---|"]
    for row in rows:
        stock = f"{row['stock']:,.0f}" if row["stock"] else "-"
        ratio = f"{row['ours'] / row['stock']:.1f}x" if row["stock"] else "-"
        lines.append(f"| {row['clients']} | {row['streams']} | {row['ours']:,.0f} | {row['p50']:.2f} | "
                     f"{row['p99']:.2f} | {stock} | {ratio} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rebuild-events", type=int, default=1_000_000)
    parser.add_argument("--output", default=str(ROOT / "docs" / "benchmarks.md"))
    arguments = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    stock = ROOT / "bench" / "stock"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(stock / "target")}
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=stock, env=environment, check=True)
    bench = Bench(arguments.rounds, arguments.seconds)
    try:
        plan = [(1, "many", True), (8, "many", True), (32, "many", True), (256, "many", False),
                (8, "hot", True), (256, "hot", False)]
        postgres = [bench.compare(bench.postgres.database, *case) for case in plan]
        sqlite = [bench.compare(bench.sqlite, *case) for case in plan]
        http = {"SQLite": bench.http(bench.sqlite()), "Postgres": bench.http(bench.postgres.database())}
        rebuild = {"SQLite": bench.rebuild(bench.sqlite(), arguments.rebuild_events),
                   "Postgres": bench.rebuild(bench.postgres.database(), arguments.rebuild_events)}
        version = bench.postgres.version
    finally:
        bench.postgres.stop()
        shutil.rmtree(bench.scratch, ignore_errors=True)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    text = (ROOT / "bench" / "report.md").read_text().format(
        date=datetime.date.today().isoformat(), cpu=cpu, cores=os.cpu_count(), system=platform.platform(),
        postgres_version=version, rounds=arguments.rounds, seconds=arguments.seconds, payload=PAYLOAD,
        postgres=table(postgres), sqlite=table(sqlite), events=f"{arguments.rebuild_events:,}",
        http="\n".join(f"| {name} | {f['per_second']:,.0f} | {f['p99']:.2f} | {f['idle_mb']:.1f} |"
                       for name, f in http.items()),
        rebuild="\n".join(f"| {name} | {speed:,.0f} |" for name, speed in rebuild.items()),
    )
    pathlib.Path(arguments.output).write_text(text)


if __name__ == "__main__":
    main()
