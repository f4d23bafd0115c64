"""More certificates of the demo CA of a vault's folder (systemd/demo-certificates.sh), and of others."""

import os
import subprocess


def openssl(*arguments, cwd=None, **environment):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True, timeout=30,
                   env=os.environ | environment)


def new_key(path):
    openssl("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-out", path)


def issue(folder, name, *options, extensions="client"):
    """folder/name.pem and .key; `options` are of openssl-ca(1), such as -enddate."""
    config, base = os.path.join(folder, "ca", "openssl.cnf"), os.path.join(folder, name)
    new_key(f"{base}.key")
    openssl("req", "-new", "-config", config, "-key", f"{base}.key", "-subj", f"/CN={name}",
            "-out", f"{base}.csr")
    openssl("ca", "-batch", "-notext", "-config", config, "-extensions", extensions, "-in",
            f"{base}.csr", "-out", f"{base}.pem", *options, CLIENT=name)


def issue_by_another_ca(folder, name):
    """A certificate whose issuer has the name of the demo CA, but another key."""
    base, other = os.path.join(folder, name), os.path.join(folder, name + "-ca")
    new_key(f"{other}.key")
    openssl("req", "-x509", "-new", "-key", f"{other}.key", "-subj",
            "/O=cardvault demo/CN=cardvault demo CA", "-days", "2", "-out", f"{other}.pem")
    new_key(f"{base}.key")
    openssl("req", "-new", "-key", f"{base}.key", "-subj", f"/CN={name}", "-out", f"{base}.csr")
    openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{other}.pem", "-CAkey", f"{other}.key",
            "-set_serial", "7", "-days", "1", "-out", f"{base}.pem")


def revoke(folder, name):
    """Publishes a revocation list that has folder/name.pem, as the CA's operator would."""
    config = os.path.join(folder, "ca", "openssl.cnf")
    openssl("ca", "-config", config, "-revoke", os.path.join(folder, f"{name}.pem"))
    new, crl = os.path.join(folder, "crl.new"), os.path.join(folder, "crl.pem")
    openssl("ca", "-config", config, "-gencrl", "-out", new)
    os.chmod(new, 0o644)
    os.rename(new, crl)


def serial(folder, name):
    """As the log has it: hexadecimal, lower case."""
    text = subprocess.check_output(["openssl", "x509", "-noout", "-serial", "-in",
                                    os.path.join(folder, f"{name}.pem")], text=True)
    return text.strip().removeprefix("serial=").lower()
