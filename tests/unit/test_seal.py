"""Signed statements: what the standards publish, and the first altered thing by its name."""

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tiny_mall import make_project

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys, seals
from datamall.mall.seal.envelope import STATEMENT, key_id, opened, pae, sign, statement
from datamall.project import file_digest

BOTH = ["committee", "steward"]
# RFC 8032, 7.1, test 1: private key, public key, signature of nothing.
SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
    "46bd25bf5f0595bbe24655141438e7a100b"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = make_project(tmp_path / "project")
    results = made / "reports" / "results" / "fraud_audit"
    results.mkdir(parents=True)
    (results / "answer.json").write_text('{"verdict": "FAIL"}')
    (made / "reports" / "gate.json").write_text('{"open": false}')
    (made / "reports" / "mall.html").write_text("<p>12</p>")
    (made / "notebooks").mkdir()
    (made / "notebooks" / "mall.ipynb").write_text("{}")
    for folder in ("raw", "audits", "usage"):
        (made / "data" / folder / "demo").mkdir(parents=True)
        (made / "data" / folder / "demo" / "file").write_text("1;2\n")
    return made


def demo(project: Path) -> Authority:
    return load_authority(project, "demo")


def verified(project: Path, mapping: Authority | None = None) -> dict[str, tuple[int, list[str]]]:
    found = mapping or demo(project)
    return seals.verify(project, found, keys.public(project, found))


def seal_all(project: Path, roles: list[str] = BOTH) -> None:
    for kind in seals.kinds(project, "demo"):
        seals.seal(project, demo(project), kind, roles)


def own(project: Path) -> Authority:
    """Let a city that is not invented deliver the stores of the demo."""
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    mapping |= {"authority": "city", "synthetic": False}
    path.with_name("city.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    stores = project / "data" / "stores"
    shutil.copytree(stores / "demo", stores / "city")
    return load_authority(project, "city")


def test_what_is_signed_is_encoded_as_dsse_says() -> None:
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("", "é".encode()) == b"DSSEv1 0  2 \xc3\xa9"


def test_signatures_are_those_of_rfc_8032() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET))
    assert key.public_key().public_bytes_raw().hex() == PUBLIC
    assert key.sign(b"").hex() == SIGNATURE
    envelope = sign(statement({"a": "00"}, "urn:x", {}), [key])
    payload = base64.b64decode(envelope["payload"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    assert signature == key.sign(pae("application/vnd.in-toto+json", payload))
    assert envelope == sign(statement({"a": "00"}, "urn:x", {}), [key])


def test_a_statement_is_one_of_in_toto(project: Path) -> None:
    seals.seal(project, demo(project), "audits", BOTH)
    envelope = json.loads(seals.file_of(project, "demo", "audits").read_text())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    content = json.loads(base64.b64decode(envelope["payload"]))
    assert content["_type"] == STATEMENT == "https://in-toto.io/Statement/v1"
    path = project / "data" / "audits" / "demo" / "file"
    subject = {"name": "data/audits/demo/file", "digest": {"sha256": file_digest(path)}}
    assert content["subject"] == [subject]
    assert content["predicateType"] == "urn:datamall:seal:audits"
    assert [one["keyid"] for one in envelope["signatures"]] == [
        key_id(keys.public(project, demo(project))[role]) for role in BOTH
    ]


def flipped(project: Path, name: str) -> str:
    path = project / name
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # DVC would not look again
    return f"^{name} was altered after"


def added(project: Path, name: str) -> str:
    (project / name).write_text("new")
    return f"^{name} came after"


def removed(project: Path, name: str) -> str:
    (project / name).unlink()
    return f"^{name} is gone since"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (flipped, "data/raw/demo/file"),
        (flipped, "data/contracts/welfare/clients.yaml"),
        (flipped, "data/purposes.yaml"),
        (flipped, "data/authorities/demo.yaml"),
        (flipped, "data/stores/demo/enforcement.containers/part-00000.parquet"),
        (flipped, "data/stores/demo/enforcement.containers/store.json"),
        (flipped, "notebooks/mall.ipynb"),
        (flipped, "params.yaml"),
        (flipped, "reports/results/fraud_audit/answer.json"),
        (flipped, "reports/gate.json"),
        (flipped, "reports/mall.html"),
        (flipped, "data/audits/demo/file"),
        (flipped, "data/usage/demo/file"),
        (added, "reports/results/new.csv"),
        (added, "reports/new.html"),
        (added, "data/stores/demo/new"),
        (removed, "reports/gate.json"),
        (removed, "data/stores/demo/enforcement.containers/part-00001.parquet"),
    ],
)
def test_the_first_altered_thing_is_named(
    project: Path, change: Callable[[Path, str], str], name: str
) -> None:
    seal_all(project)
    mapping = demo(project)
    sealed = verified(project)
    assert set(sealed) == {"deliveries", "stores", "method", "results", "audits", "uses"}
    assert sealed["results"] == (3, BOTH)
    with pytest.raises(DatamallError, match=change(project, name)):
        verified(project, mapping)


def test_a_flipped_byte_of_a_seal_is_noticed(project: Path) -> None:
    seal_all(project)
    path = seals.file_of(project, "demo", "results")
    good = path.read_bytes()
    for at in range(0, len(good) - 1, 17):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(DatamallError, match=r"data/seals/demo/results\.json"):
            verified(project)
    path.write_bytes(good)
    assert verified(project)


def test_a_seal_that_was_brought_back_moved_or_taken_away_is_noticed(project: Path) -> None:
    answer = project / "reports" / "results" / "fraud_audit" / "answer.json"
    seal_all(project)
    path = seals.file_of(project, "demo", "results")
    old = {file: file.read_bytes() for file in (path, answer)}
    answer.write_text('{"verdict": "PASS"}')
    seal_all(project)
    for file, content in old.items():
        file.write_bytes(content)
    with pytest.raises(DatamallError, match="is not the last one in the log of use"):
        verified(project)
    path.write_bytes(seals.file_of(project, "demo", "stores").read_bytes())
    with pytest.raises(DatamallError, match="is not the last one in the log of use"):
        verified(project)
    path.unlink()
    with pytest.raises(DatamallError, match="is gone: the log of use says"):
        verified(project)


def test_who_has_no_key_signs_nothing_and_an_unknown_signature_says_nothing(project: Path) -> None:
    with pytest.raises(DatamallError, match="No public key of 'mayor'"):
        seals.seal(project, demo(project), "audits", ["mayor"])
    key = Ed25519PrivateKey.generate()
    forged = sign(statement({}, "urn:datamall:seal:audits", {}), [key])
    known = {key_id(k): k for k in keys.public(project, demo(project)).values()}
    with pytest.raises(DatamallError, match="signed by nobody whose key is known"):
        opened(forged, known, "It")
    # The name of a known key on the signature of another one.
    forged["signatures"][0]["keyid"] = next(iter(known))
    with pytest.raises(DatamallError, match="was altered after it was signed"):
        opened(forged, known, "It")


@pytest.mark.parametrize("broken", [None, [], {}, {"payload": "x"}, {"payload": 1}])
def test_what_is_no_envelope_is_refused(broken: Any) -> None:
    with pytest.raises(DatamallError, match="It is no envelope"):
        opened(broken, {}, "It")


def test_a_real_authority_signs_with_key_files_outside_the_project(project: Path) -> None:
    city = own(project)
    with pytest.raises(DatamallError, match="No public key of 'steward'"):
        seals.seal(project, city, "stores", ["steward"])
    for role in BOTH:
        path = keys.make(project, city, role)
        assert not path.is_relative_to(project) and path.stat().st_mode & 0o077 == 0
    with pytest.raises(DatamallError, match="already"):
        keys.make(project, city, "steward")
    published = project / "data" / "keys" / "city.yaml"
    assert list(yaml.safe_load(published.read_text())) == BOTH
    assert seals.seal(project, city, "stores", BOTH) > 10
    assert verified(project, city)["stores"][1] == BOTH
    whole = published.read_text("utf-8")
    # Without the key of the committee its signature is none.
    published.write_text("".join(line for line in whole.splitlines(True) if "steward" in line))
    with pytest.raises(DatamallError, match="lacks a signature: it is signed by steward alone"):
        verified(project, city)
    kept = project.with_name("kept.yaml")
    kept.write_text(whole)
    other = dict.fromkeys(BOTH, "00" * 31 + "01")
    published.write_text(yaml.safe_dump(other))
    with pytest.raises(DatamallError, match="signed by nobody whose key is known"):
        verified(project, city)
    assert seals.verify(project, city, keys.public(project, city, kept))
    published.write_text("steward: none\n")
    with pytest.raises(DatamallError, match="64 hexadecimal digits"):
        verified(project, city)
    published.write_text(whole)
    path.chmod(0o644)
    with pytest.raises(DatamallError, match="Others can read the key"):
        seals.seal(project, city, "stores", BOTH)
    with pytest.raises(DatamallError, match="no name of a role"):
        keys.make(project, city, "../steward")


def test_invented_data_have_keys_that_everybody_knows(project: Path) -> None:
    with pytest.raises(DatamallError, match="known to everybody"):
        keys.make(project, demo(project), "steward")
    assert not (project / "data" / "keys").exists()


@pytest.mark.slow
def test_the_command_line_seals_and_verifies(project: Path, cli: Callable) -> None:
    home = {"HOME": os.environ["HOME"]}
    done = cli(project, "seal", "--by", "steward", "--by", "committee", **home)
    assert done.returncode == 0, done.stderr
    assert "results: 3 files sealed by steward and committee" in done.stdout
    assert "results: 3 files as sealed" in cli(project, "verify", **home).stdout
    (project / "reports" / "gate.json").write_text('{"open": true}')
    done = cli(project, "verify", **home)
    assert done.returncode == 1
    assert done.stderr == "datamall: reports/gate.json was altered after results were sealed.\n"
    assert "Nothing is called 'x'" in cli(project, "seal", "--by", "steward", "--kind", "x").stderr


def test_a_clone_without_the_log_is_checked_by_keys_and_bytes(project: Path) -> None:
    seal_all(project)
    shutil.rmtree(project / "data" / "log")
    assert set(verified(project)) == set(seals.covered(project, "demo"))
    (project / "params.yaml").write_text("{}")
    with pytest.raises(DatamallError, match=r"params\.yaml was altered"):
        verified(project)
