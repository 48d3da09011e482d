from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from maglev.certificates import not_after_s

KEY = ec.generate_private_key(ec.SECP256R1())
ENDS = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
EARLIEST, LATEST = dt.datetime(1950, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


def certificate(ends: dt.datetime, *, name: str = "app.example", serial: int = 7) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(dt.datetime(1950, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def sequence(contents: bytes) -> bytes:
    return b"\x30\x82" + len(contents).to_bytes(2, "big") + contents


@given(
    ends_s=st.integers(int(EARLIEST.timestamp()), int(LATEST.timestamp())),
    name=st.text("abc.", min_size=1, max_size=64),
    serial=st.integers(1, 2**159 - 1),
)
def test_end_of_a_certificate_is_that_which_the_library_reads(ends_s: int, name: str, serial: int) -> None:
    der = certificate(dt.datetime.fromtimestamp(ends_s, dt.UTC), name=name, serial=serial)

    assert not_after_s(der) == ends_s == x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2049, 2050, 9999])
def test_year_is_right_on_both_sides_of_the_change_of_its_form(year: int) -> None:
    ends = dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.UTC)

    assert not_after_s(certificate(ends)) == ends.timestamp()


def test_certificate_of_version_one_which_names_no_version_is_read() -> None:
    der = certificate(ENDS)
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    fields = signed[signed.index(b"\xa0\x03\x02\x01\x02") + 5 :]

    old = sequence(sequence(fields) + der[der.index(signed) + len(signed) :])

    assert not_after_s(old) == ENDS.timestamp()


@given(st.integers(0, 600), st.binary(max_size=8))
def test_a_damaged_certificate_raises_nothing(where: int, what: bytes) -> None:
    der = certificate(ENDS)
    damaged = der[:where] + what + der[where + len(what) :]

    assert isinstance(not_after_s(damaged), float | None)


@given(st.binary(max_size=200))
def test_anything_else_has_no_end(data: bytes) -> None:
    assert not_after_s(data) is None


def test_a_cut_certificate_has_no_end() -> None:
    der = certificate(ENDS)

    assert all(not_after_s(der[:length]) is None for length in range(len(der)))
