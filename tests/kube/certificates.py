"""Certificates of a cluster that lives as long as a test, made by openssl."""

import subprocess

# Every name under which a client may look for the API server here; 10.96.0.1 is its service.
SERVER_NAMES = "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc,IP:10.96.0.1"


class Authority:
    """A certificate authority in a directory; leaves are made beside it."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.key = directory / f"{name}.key"
        self.certificate = directory / f"{name}.crt"
        _request(self.key, self.certificate, f"/CN={name}")

    def issue(self, name, subject, alternatives=None):
        """A leaf for servers and clients; returns the paths of certificate and key."""
        key = self.directory / f"{name}.key"
        certificate = self.directory / f"{name}.crt"
        extensions = ["basicConstraints=critical,CA:FALSE",
                      "extendedKeyUsage=serverAuth,clientAuth"]
        if alternatives is not None:
            extensions.append(f"subjectAltName={alternatives}")
        options = ["-CA", self.certificate, "-CAkey", self.key]
        for extension in extensions:
            options += ["-addext", extension]
        _request(key, certificate, subject, *options)
        return certificate, key

    def server(self, names=SERVER_NAMES):
        return self.issue("server", "/CN=kube-apiserver", names)


def _request(key, certificate, subject, *options):
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "2", "-subj", subject, *options)


def signing_key(path):
    """The key with which service accounts' tokens are signed."""
    _openssl("genrsa", "-out", path, "2048")
    return path


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)
