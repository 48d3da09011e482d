from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maglev.domain.hashes import crc32c, xxhash64

PRIMES = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)
VPP_SEED = 0x9E3779B97F4A7C13


def rotl(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) % 2**64


def xxh64_of_at_most_31_bytes(data: bytes, seed: int) -> int:
    """XXH64 as its specification has it, without the part for long inputs."""
    p1, p2, p3, p4, p5 = PRIMES
    acc = (seed + p5 + len(data)) % 2**64
    while len(data) >= 8:
        acc ^= rotl(int.from_bytes(data[:8], "little") * p2 % 2**64, 31) * p1 % 2**64
        acc, data = (rotl(acc, 27) * p1 + p4) % 2**64, data[8:]
    if len(data) >= 4:
        acc ^= int.from_bytes(data[:4], "little") * p1 % 2**64
        acc, data = (rotl(acc, 23) * p2 + p3) % 2**64, data[4:]
    for byte in data:
        acc ^= byte * p5 % 2**64
        acc = rotl(acc, 11) * p1 % 2**64
    acc = (acc ^ acc >> 33) * p2 % 2**64
    acc = (acc ^ acc >> 29) * p3 % 2**64
    return acc ^ acc >> 32


def crc32c_bit_by_bit(data: bytes, start: int) -> int:
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc


def test_the_model_of_xxh64_gives_the_published_values() -> None:
    assert xxh64_of_at_most_31_bytes(b"", 0) == 0xEF46DB3751D8E999
    assert xxh64_of_at_most_31_bytes(b"a", 0) == 0xD24EC4F1A98C6E5B
    assert xxh64_of_at_most_31_bytes(b"abc", 0) == 0x44BC2CF5AD770999


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_a_key_hashes_as_xxh64_hashes_its_eight_bytes(key: int) -> None:
    assert xxhash64(key) == xxh64_of_at_most_31_bytes(key.to_bytes(8, "little"), VPP_SEED)


def test_the_model_of_the_crc_gives_the_published_check_value() -> None:
    assert crc32c_bit_by_bit(b"123456789", 0xFFFFFFFF) ^ 0xFFFFFFFF == 0xE3069283


@given(st.binary(max_size=40))
def test_the_crc_starts_at_zero_and_is_not_inverted(data: bytes) -> None:
    assert crc32c(data) == crc32c_bit_by_bit(data, 0)
