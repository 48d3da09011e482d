"""The two hash functions of VPP's load balancer, in pure Python.

Both are reimplemented from their definitions and agree with a running VPP: `xxhash64` places the servers of a new-flow
table, `crc32c` (or, on a CPU without CRC instructions, `xxhash64` again) places flows in its buckets.
"""

from __future__ import annotations

_MASK_64 = (1 << 64) - 1

# The five primes of XXH64, and the seed with which VPP starts it.
_PRIME_1 = 0x9E3779B185EBCA87
_PRIME_2 = 0xC2B2AE3D27D4EB4F
_PRIME_3 = 0x165667B19E3779F9
_PRIME_4 = 0x85EBCA77C2B2AE63
_PRIME_5 = 0x27D4EB2F165667C5
_SEED = 0x9E3779B97F4A7C13
_START = (_SEED + _PRIME_5 + 8) & _MASK_64

_CASTAGNOLI_REFLECTED = 0x82F63B78


def xxhash64(key: int) -> int:
    """Hash one 64-bit key as XXH64 hashes eight bytes, with VPP's seed 0x9e3779b97f4a7c13.

    Args:
        key: 0 to 2⁶⁴ − 1; eight bytes read little-endian.

    Returns:
        The hash, 0 to 2⁶⁴ − 1.
    """
    lane = key * _PRIME_2 & _MASK_64
    lane = (lane << 31 | lane >> 33) & _MASK_64
    mixed = _START ^ (lane * _PRIME_1 & _MASK_64)
    mixed = (((mixed << 27 | mixed >> 37) & _MASK_64) * _PRIME_1 + _PRIME_4) & _MASK_64
    mixed = (mixed ^ mixed >> 33) * _PRIME_2 & _MASK_64
    mixed = (mixed ^ mixed >> 29) * _PRIME_3 & _MASK_64
    return mixed ^ mixed >> 32


def crc32c(data: bytes) -> int:
    """Compute the CRC-32C of some bytes as a CPU's CRC instructions do when nothing is added around them.

    That is: the reflected Castagnoli polynomial, a register that starts at 0, and no inversion at the end (the
    CRC-32C of iSCSI starts with all ones and inverts).

    Returns:
        The remainder, 0 to 2³² − 1.
    """
    crc = 0
    for byte in data:
        crc = _CRC_OF_BYTE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _crc_of_byte(byte: int) -> int:
    crc = byte
    for _ in range(8):
        crc = crc >> 1 ^ (_CASTAGNOLI_REFLECTED if crc & 1 else 0)
    return crc


_CRC_OF_BYTE = tuple(_crc_of_byte(byte) for byte in range(256))
