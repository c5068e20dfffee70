#!/usr/bin/env python3
"""What docs/CLUSTER.md states: SQL against the program `iqa`, one process and a cluster on the loopback interface.

    measure.py --iqa PROGRAM --programs FOLDER --pictures FOLDER [PART ...]

FOLDER of pictures has `dist` and `ref`, with files of the same stems; 2,000 pairs for the parts `equal` (1,000 of them) and
`kill`. FOLDER of programs has iqa-sql, iqa-scheduler and iqa-executor. Parts: equal, cost, executors, kill, evaluate, models; and
s3, which wants programs with the feature `s3` and this Python `moto[server]` and `boto3`: a server that speaks as S3 does.
"""
import argparse, atexit, csv, io, json, os, pathlib, random, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument("--iqa", required=True)
parser.add_argument("--programs", type=pathlib.Path, required=True)
parser.add_argument("--pictures", type=pathlib.Path, required=True)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--nice", type=int, default=0, help="of the programs measured, and of their threads")
parser.add_argument("parts", nargs="*", default=[])
options = parser.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="iqa-measure-"))


class Run:
    """A program to its end: seconds, processor seconds, the most memory in MB, and what it printed."""

    def __init__(self, *command, check=True):
        start = time.monotonic()
        with open(work / "out", "w+") as out:
            child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.PIPE, preexec_fn=lambda: os.nice(options.nice))
            errors = child.stderr.read().decode()
            _, status, usage = os.wait4(child.pid, 0)
            self.seconds = time.monotonic() - start
            self.cpu, self.memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
            out.seek(0)
            self.out = out.read()
        if check and status != 0:
            sys.exit(f"{command}: {errors}")


def sql(statement, *more):
    return Run(options.programs / "iqa-sql", "--format", "csv", *more, "-c", statement)


class Cluster:
    def __init__(self):
        self.port, self.executors = self.free(), []
        self.scheduler = self.start("iqa-scheduler", "--bind", f"127.0.0.1:{self.port}", "--executor-timeout", "8")
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            time.sleep(0.05)

    def free(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def start(self, name, *arguments):
        log = open(work / f"{name}-{time.monotonic()}.log", "w")
        child = subprocess.Popen([options.programs / name, "--log", "info", *arguments], stderr=log, stdout=log)
        child.log = log.name
        atexit.register(child.kill)
        return child

    def join(self):
        self.executors.append(self.start("iqa-executor", "--scheduler", f"127.0.0.1:{self.port}", "--port", str(self.free()), "--threads", "1"))
        return self.executors[-1]

    def tasks(self, executor):
        return pathlib.Path(executor.log).read_text().count("Received task")

    def even(self):
        """Executors put their threads at a lower priority; that of this measurement instead."""
        for executor in self.executors:
            for thread in pathlib.Path(f"/proc/{executor.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), options.nice)

    def memory(self, executor):
        status = pathlib.Path(f"/proc/{executor.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def sql(self, statement, *more):
        return sql(statement, "--scheduler", f"df://127.0.0.1:{self.port}", *more)

    def end(self):
        for child in [*self.executors, self.scheduler]:
            child.kill()
            child.wait()


def table(count, rows=25):
    """A folder of the first pairs, and a Parquet file of their contents."""
    folder = work / f"pairs{count}"
    target = folder / "pictures.parquet"
    if not target.exists():
        for kind in ["dist", "ref"]:
            (folder / kind).mkdir(parents=True)
            for file in sorted((options.pictures / kind).iterdir())[:count]:
                shutil.copy(file, folder / kind)
        sql(
            f"COPY (SELECT distorted AS path, iqa_read(distorted) AS distorted, iqa_read(reference) AS reference "
            f"FROM iqa_pairs('{folder}/dist', '{folder}/ref') ORDER BY path) TO '{target}' STORED AS PARQUET "
            f"OPTIONS ('format.max_row_group_size' {rows})"
        )
    return folder, target


def query(model, target, reference=True):
    pictures = "distorted, reference" if reference else "distorted"
    return f"SELECT path, iqa_score('{model}', {pictures}) AS score, iqa_error('{model}', {pictures}) AS why FROM '{target}' ORDER BY path"


def rows(text):
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text))}


def program(model, folder, *more, reference=True):
    pairs = [folder / "dist", "--reference", folder / "ref"] if reference else [folder / "dist"]
    return Run(options.iqa, *more, "score", *pairs, "--model", model, "--format", "csv", check=False)


def equal():
    folder, _ = table(1000)
    bad = folder / "dist" / sorted(os.listdir(folder / "dist"))[500]
    bad.write_bytes(bad.read_bytes()[:1500])
    (folder / "pictures.parquet").unlink()
    sql(
        f"COPY (SELECT distorted AS path, iqa_read(distorted) AS distorted, iqa_read(reference) AS reference "
        f"FROM iqa_pairs('{folder}/dist', '{folder}/ref')) TO '{folder}/pictures.parquet' STORED AS PARQUET "
        f"OPTIONS ('format.max_row_group_size' 25)"
    )
    for model in ["psnr", "wadiqam_fr"]:
        there, here = rows(program(model, folder).out), rows(sql(query(model, folder / "pictures.parquet")).out)
        missing = [row for row in here.values() if row["score"] == ""]
        same = sum(float(here[path]["score"]) == float(row["score"]) for path, row in there.items())
        print(f"equal: {model}: {len(here)} rows, {same} of {len(there)} scores of iqa bit for bit, without a score: {[row['why'] for row in missing]}")
    shutil.rmtree(folder)


def cost():
    for model, count in [("psnr", 1000), ("wadiqam_fr", 300)]:
        (folder, target), rates = table(count), {}
        for _ in range(options.repeats):
            for name, run in [("iqa", program(model, folder)), ("iqa-sql", sql(query(model, target)))]:
                rates.setdefault(name, []).append(run)
        for name, runs in rates.items():
            seconds, cpu = (statistics.median(getattr(run, what) for run in runs) for what in ["seconds", "cpu"])
            print(f"cost: {model} {name}: {count / seconds:.1f} a second, {1000 * cpu / count:.2f} ms of a core each, {max(run.memory for run in runs):.0f} MB")


def executors():
    pairs = 360
    _, target = table(pairs, 5)
    for model in ["wadiqam_fr"]:
        cluster, seconds = Cluster(), {1: [], 2: []}
        for count in [1, 2]:
            cluster.join()
            cluster.sql(query(model, target), "--partitions", "72")
            cluster.even()
            for _ in range(options.repeats):
                seconds[count].append(cluster.sql(query(model, target), "--partitions", "72").seconds)
        memory = [cluster.memory(executor) for executor in cluster.executors]
        cluster.end()
        one, two = (statistics.median(seconds[count]) for count in [1, 2])
        print(f"executors: {model}: one {pairs / one:.1f} a second, two {pairs / two:.1f}, {one / two:.3f} times, memory {memory} MB")


def kill():
    _, target = table(2000)
    alone = rows(sql(query("ssim_full", target)).out)
    cluster = Cluster()
    first, second = cluster.join(), cluster.join()
    cluster.sql("SELECT 1 AS warm")
    cluster.even()
    command = [options.programs / "iqa-sql", "--format", "csv", "--scheduler", f"df://127.0.0.1:{cluster.port}", "--partitions", "80", "-c", query("ssim_full", target)]
    start = time.monotonic()
    running = subprocess.Popen(command, stdout=open(work / "killed", "w"))
    while min(cluster.tasks(first), cluster.tasks(second)) < 20:
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    killed = time.monotonic() - start
    third = cluster.join()
    while running.poll() is None and cluster.tasks(third) == 0:
        time.sleep(0.05)
    os.setpriority(os.PRIO_PROCESS, third.pid, options.nice)
    assert running.wait() == 0
    text = (work / "killed").read_text()
    found = rows(text)
    lines = text.count("\n") - 1
    print(
        f"kill: {lines} rows, {len(found)} paths, {sum(found[path] == row for path, row in alone.items())} rows as of one process; killed after "
        f"{killed:.1f} of {time.monotonic() - start:.1f} s; tasks {[cluster.tasks(executor) for executor in (first, second, third)]} of 80"
    )
    cluster.end()


def evaluate():
    folder, target = table(500)
    draw, listed = random.Random(1), work / "list.csv"
    names = sorted(path.stem for path in (folder / "dist").iterdir())
    lines = [f"dist/{name}.jpg,ref/{name}.png,{draw.random() * (folder / 'dist' / f'{name}.jpg').stat().st_size:.3f}" for name in names]
    listed.write_text("\n".join(["distorted,reference,score", *lines]) + "\n")
    for model in ["ssim", "wadiqam_fr"]:
        out = work / f"evaluated-{model}"
        Run(options.iqa, "evaluate", "--set", "csv", "--root", folder, "--list", listed, "--model", model, "--output", out)
        there = json.loads((out / "report.json").read_text())["whole"]["figures"]
        score = f"iqa_score('{model}', p.distorted, p.reference)"
        here = sql(
            f"SELECT plcc({score}, l.score) AS plcc, srcc({score}, l.score) AS srcc, krcc({score}, l.score) AS krcc "
            f"FROM '{target}' AS p JOIN '{listed}' AS l ON p.path = '{folder}/' || l.distorted"
        )
        here = next(csv.DictReader(io.StringIO(here.out)))
        print(f"evaluate: {model}:", ", ".join(f"{name} {there[name]} {here[name]} ({abs(there[name] - float(here[name])):.1e})" for name in here))


def models():
    count = 100
    _, target = table(count)
    formulas = ["psnr", "ssim", "ssim_full", "ms_ssim", "gmsd", "fsim", "fsimc", "vsi", "vif", "vifp"]
    for model in [*formulas, "wadiqam_fr", "wadiqam_nr", "multibranch_lite_nr"]:
        run = sql(query(model, target, not model.endswith("_nr")), "--threads", "1")
        print(f"models: {model}: {count / run.cpu:.1f} a second and core, {run.memory:.0f} MB")


def s3():
    import boto3

    pairs = 200
    folder, target = table(pairs)
    cluster = Cluster()
    port = cluster.free()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    keys = {"access_key_id": "nobody", "secret_access_key": "nothing", "region": "eu-central-1", "endpoint": f"http://127.0.0.1:{port}", "allow_http": "true"}
    settings = "".join(f"SET s3.{name} = '{value}'; " for name, value in keys.items())
    store = boto3.client(
        "s3", endpoint_url=keys["endpoint"], region_name=keys["region"], aws_access_key_id=keys["access_key_id"], aws_secret_access_key=keys["secret_access_key"]
    )
    for _ in range(100):
        try:
            store.create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": keys["region"]})
            break
        except Exception:
            time.sleep(0.1)
    store.upload_file(str(target), "pictures", "tables/pictures.parquet")
    listed = ["distorted,reference"]
    for kind in ["dist", "ref"]:
        for file in (folder / kind).iterdir():
            store.upload_file(str(file), "pictures", f"{kind}/{file.name}")
    for file in sorted((folder / "dist").iterdir()):
        listed.append(f"s3://pictures/dist/{file.name},s3://pictures/ref/{file.stem}.png")
    listed.append(f"s3://pictures/dist/none.jpg,s3://pictures/ref/{file.stem}.png")
    (folder / "urls.csv").write_text("\n".join(listed) + "\n")
    contents = settings + (
        "CREATE EXTERNAL TABLE p STORED AS PARQUET LOCATION 's3://pictures/tables/'; "
        "SELECT path, iqa_score('psnr', distorted, reference) AS score, iqa_error('psnr', distorted, reference) AS why FROM p ORDER BY path"
    )
    objects = settings + (
        f"SELECT distorted AS path, iqa_score('psnr', distorted, reference) AS score, iqa_error('psnr', distorted, reference) AS why "
        f"FROM '{folder}/urls.csv' ORDER BY path"
    )
    written = settings + (
        f"COPY (SELECT path, iqa_score('psnr', distorted, reference) AS score FROM '{target}') TO 's3://pictures/PLACE/' STORED AS PARQUET; "
        "CREATE EXTERNAL TABLE s STORED AS PARQUET LOCATION 's3://pictures/PLACE/'; SELECT path, score, NULL AS why FROM s ORDER BY path"
    )
    expected = {pathlib.Path(path).name: float(row["score"]) for path, row in rows(sql(query("psnr", target)).out).items()}
    cluster.join()
    cluster.join()
    for name, ask in [("one process", sql), ("a cluster", cluster.sql)]:
        for what, statement in [("contents in a table", contents), ("an object each", objects), ("written and read again", written)]:
            run = ask(statement.replace("PLACE", name.replace(" ", "_")))
            # Settings and COPY answer too.
            found = rows(run.out[run.out.index("path,score") :])
            same = sum(row["score"] != "" and float(row["score"]) == expected.get(pathlib.Path(path).name) for path, row in found.items())
            bad = {pathlib.Path(path).name: row["why"][:120] for path, row in found.items() if row["score"] == ""}
            print(f"s3: {name}: {what}: {len(found)} rows, {same} of {pairs} scores of files bit for bit, {pairs / run.seconds:.0f} a second, without a score {bad}")
    cluster.end()
    server.kill()


for part in options.parts or ["equal", "cost", "executors", "kill", "evaluate", "models"]:
    globals()[part]()
shutil.rmtree(work)
