"""A Kafka broker (KRaft, one node that is broker and controller) from Maven Central, in a namespace."""

import os
import pathlib
import socket
import subprocess

from lab import Process, command, wait_until

PORT, CONTROLLER_PORT = 9092, 9093
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) \
    / "vethscope" / "kafka"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={directory}/data
num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
auto.create.topics.enable=true
"""


def libraries():
    """The jars of pom.xml, fetched when that has changed since they were."""
    pom = pathlib.Path(__file__).with_name("pom.xml")
    fetched = CACHE / "pom.xml"
    if not fetched.exists() or fetched.read_bytes() != pom.read_bytes():
        subprocess.run(["mvn", "-q", "-B", "-f", pom, PLUGIN, "-DincludeScope=runtime",
                        f"-DoutputDirectory={CACHE / 'libs'}"], check=True)
        fetched.write_bytes(pom.read_bytes())
    return CACHE / "libs"


def java(*arguments):
    return ["java", "-Xmx400m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{libraries()}/*", *arguments]


class Broker:
    """Its data outlive `stop`, for the next `start`."""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab.directory / "kafka"
        self.directory.mkdir()
        self.config = self.directory / "server.properties"
        self.config.write_text(PROPERTIES.format(directory=self.directory, port=PORT,
                                                 controller=CONTROLLER_PORT))
        command(*java("kafka.tools.StorageTool", "format", "-t", "vethscopevethscope0000",
                      "-c", self.config))
        self.starts = 0
        self.process = None

    def start(self):
        self.starts += 1
        self.process = Process(self.lab, f"kafka-{self.starts}", java("kafka.Kafka", self.config),
                               self.lab.node)
        wait_until(self._listens, 60, "the broker", pause=0.2)

    def _listens(self):
        with self.lab.node.inside(), socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0

    def stop(self):
        self.process.stop(timeout=60)

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()
