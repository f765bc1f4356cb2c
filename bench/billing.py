#!/usr/bin/env python3
"""Measures billing runs: contracts of three lines, all due, billed from a cold start while one subscription after the
other is previewed; then the same work killed ten times at random; and usage records in bulk. Writes
docs/billing-runs.md.

Needs a release build, Python and Postgres' binaries; takes more than an hour with three rounds of every size.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time

from run import ROOT, Postgres, run

KILLS = 10
PROOF = [
    ("invoices", "SELECT COUNT(*) FROM invoices"),
    ("subscriptions with an invoice", "SELECT COUNT(DISTINCT subscription) FROM invoices"),
    ("invoice lines", "SELECT COUNT(*) FROM invoice_lines"),
    ("charges", "SELECT COUNT(*) FROM charges"),
    ("periods charged", "SELECT COUNT(*) FROM (SELECT DISTINCT subscription, name, period_start FROM charges) AS periods"),
    ("highest number", "SELECT MAX(number) FROM invoices"),
]


class Databases:
    def __init__(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="billstream-billing-"))
        self.postgres = Postgres()

    def fresh(self, kind):
        if kind == "Postgres":
            return self.postgres.database()
        for old in self.scratch.iterdir():
            old.unlink()
        return f"sqlite://{self.scratch}/billing.db"

    def ask(self, url, sql):
        if url.startswith("sqlite://"):
            connection = sqlite3.connect(url.removeprefix("sqlite://"), timeout=60)
            try:
                return connection.execute(sql).fetchone()[0]
            finally:
                connection.close()
        name = url.split("?")[0].split("/")[-1]
        psql = [self.postgres.bin / "psql", "-qAt", "-h", self.postgres.directory, "-U", "postgres", "-d", name]
        return int(run([*psql, "-c", sql]).strip())

    def stop(self):
        self.postgres.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


def bill(program, url, due, each):
    command = [program, "bench", "billing", "--subscriptions", due, "--each", each, "--database", url]
    return json.loads(run([str(part) for part in command]).splitlines()[-1])


def middle(rounds, program, databases, kind, due, each):
    """The medians of several runs, each on a database of its own, and the most memory that any of them took."""
    runs = []
    for _ in range(rounds):
        runs.append(bill(program, databases.fresh(kind), due, each))
        print(kind, due, each, runs[-1], flush=True)
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return figures | {"peak_memory_mib": max(run["peak_memory_mib"] for run in runs)}


def killed(program, databases, url, due):
    """Bills what is due, killed at random points and started again; answers with what is there in the end."""
    fill = [program, "bench", "billing", "--fill-only", "--subscriptions", due, "--each", 1, "--database", url]
    run([str(part) for part in fill])
    until = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    command = [str(program), "run-billing", "--until", until, "--json", "--database", url]
    points = []
    while len(points) < KILLS:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.2, due / 4_000 / KILLS))
        if process.poll() is not None:
            raise SystemExit(f"the run had ended before it was killed {len(points) + 1} times")
        process.kill()
        process.wait()
        points.append(databases.ask(url, PROOF[0][1]))
        print("killed at", points[-1], flush=True)
    run(command)
    proof = {name: databases.ask(url, sql) for name, sql in PROOF}
    proof["audit"] = run([str(program), "audit", "verify", "--database", url]).strip().splitlines()[-1]
    return points, proof


def used(program, databases, kind, *more):
    """Usage records a second, the median of three runs."""
    runs = []
    for _ in range(3):
        command = [program, "bench", "usage", "--database", databases.fresh(kind), *more]
        runs.append(json.loads(run([str(part) for part in command]).splitlines()[-1])["per_second"])
        print(kind, "usage", *more, runs[-1], flush=True)
    return statistics.median(runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,300000")
    parser.add_argument("--each", default="1,10", help="how many contracts a customer has")
    parser.add_argument("--account", type=int, default=30_000, help="subscriptions of the one large account")
    parser.add_argument("--rounds", type=int, default=3, help="how many runs the figures are the medians of")
    parser.add_argument("--kill", type=int, default=100_000, help="how many are due in the runs that are killed")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--output", default=str(ROOT / "docs" / "billing-runs.md"))
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    print("seed", arguments.seed)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "release" / "billstream"
    databases = Databases()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    cases = [(size, int(each)) for size in sizes for each in arguments.each.split(",")] + [(arguments.account, arguments.account)]
    rows, proofs, usage = [], [], []
    try:
        for due, each in cases:
            for kind in ("SQLite", "Postgres"):
                figures = middle(arguments.rounds, program, databases, kind, due, each)
                rows.append(
                    f"| {kind} | {due:,} | {each:,} | {figures['milliseconds'] / 1000:.1f} | "
                    f"{figures['invoices_per_second']:,.0f} | {figures['peak_memory_mib']:,} | "
                    f"{figures['preview_p50_us'] / 1000:.1f} | {figures['preview_p99_us'] / 1000:.1f} |"
                )
        for kind in ("SQLite", "Postgres") if arguments.kill else ():
            points, proof = killed(program, databases, databases.fresh(kind), arguments.kill)
            print(kind, proof, flush=True)
            said = "; ".join(f"{name} {value:,}" if isinstance(value, int) else value for name, value in proof.items())
            proofs.append(f"- {kind}, killed when there were {', '.join(f'{point:,}' for point in points)} invoices: {said}.")
        for kind in ("SQLite", "Postgres"):
            ids, bare = used(program, databases, kind), used(program, databases, kind, "--without-ids")
            usage.append(f"| {kind} | {ids:,} | {bare:,} |")
    finally:
        databases.stop()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    pathlib.Path(arguments.output).write_text("\n".join([
        "# Billing runs",
        "",
        f"Written by `bench/billing.py` on {datetime.date.today().isoformat()}: {cpu}, {os.cpu_count()} cores, "
        f"{platform.platform()}; {databases.postgres.version}, settings as",
        f"they come (fsync on), on the same machine. A line is the median of {arguments.rounds} runs, each on a database of its own.",
        "",
        "Contracts of three lines, all due, are billed from a cold start; every invoice is counted when it is durable. The",
        "memory is the highest of the whole program, filling the database included. Meanwhile one contract after the other",
        "is previewed over two months.",
        "",
        "| database | due | contracts a customer | s | invoices/s | memory, MiB | preview p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Killed ten times (`kill -9`) at random (seed {arguments.seed}), started again and brought to the end, "
        f"{arguments.kill:,} due:",
        "",
        *proofs,
        "",
        "Usage records a second, in calls of 20,000 for 100 customers with a metered contract each, one call after the other, for",
        "eight seconds; the median of three runs, each on a database of its own:",
        "",
        "| database | every record under an id of its own | without ids |",
        "|---|---|---|",
        *usage,
        "",
    ]))


if __name__ == "__main__":
    main()
